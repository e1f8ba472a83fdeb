import type { Figures, Place } from './contender.js';
import { median, readable } from './figures.js';
import { freePlace, Rival } from './rival.js';

/** One line of a table. */
export interface Row {
  readonly what: string;
  readonly ours: string;
  readonly peer: string;
  /** How ours relates to its peer, with its spread. */
  readonly ratio: string;
  /** What it has to be; empty when it is only printed. */
  readonly must: string;
  readonly met: boolean | undefined;
}

/** What a ratio has to be. */
export type Target = { readonly atLeast: number } | { readonly atMost: number };

/** A comparison, as it is handed to whoever runs it. */
export interface Course {
  /** The file whose contenders take part. */
  readonly file: string;
  readonly rounds: number;
  readonly profiles: string | undefined;
  /** The address of a server of this run. */
  server(store: 'redis' | 'postgres'): Promise<string>;
  /** A value of the command line (`--waiting=1000000`), or its default. */
  option(name: string, byDefault: number): number;
}

/** One who takes part in a comparison. */
export interface Entry {
  readonly name: string;
  readonly variant?: number;
  /** Of each unit it measures, or of all. Without one, its ratio is only printed. */
  readonly target?: Target;
}

export interface Match {
  readonly what: string;
  readonly store: 'redis' | 'postgres';
  /** Whom all others are compared with. */
  readonly peer: Entry;
  readonly rivals: readonly Entry[];
  /** Starts every round in a new process: for what can be measured only once in one. */
  readonly fresh?: boolean;
  /** Contenders that work beside, at the place of each entry, while that is measured: its worker, say. */
  readonly beside?: Readonly<Record<string, string>>;
  /** Measures from outside; by default the contender measures itself. */
  readonly measure?: (rival: Rival) => Promise<Figures>;
}

/** The one round before those that count. */
const WARM_UP = 1;

/** Runs the entries in turn, round after round, each in a process of its own; one row for each rival and unit. */
export async function compare(course: Course, match: Match): Promise<Row[]> {
  const entries = [match.peer, ...match.rivals];
  const teams = entries.map((entry) => new Team(course, match, entry));
  for (let round = -WARM_UP; round < course.rounds; round++) {
    // Whoever comes first in one round comes last in the next: what a machine does meanwhile hits all alike.
    for (const team of round % 2 ? teams : teams.toReversed()) await team.play(round >= 0);
  }
  await Promise.all(teams.map((team) => team.close()));
  const [peer, ...rivals] = teams as [Team, ...Team[]];
  return rivals.flatMap((rival) => rival.rowsAgainst(peer));
}

/** An entry and whoever works beside it. */
class Team {
  private readonly results: Figures[] = [];
  private readonly cpu: number[] = [];
  private members: Rival[] = [];

  constructor(
    private readonly course: Course,
    private readonly match: Match,
    private readonly entry: Entry,
  ) {}

  async play(counts: boolean): Promise<void> {
    if (this.members.length === 0) await this.start();
    const rival = this.members.at(-1) as Rival;
    const before = await rival.cpu();
    const figures = await (this.match.measure?.(rival) ?? rival.round());
    if (counts) {
      this.results.push(figures);
      this.cpu.push((await rival.cpu()) - before);
    }
    if (this.match.fresh) await this.close();
  }

  rowsAgainst(peer: Team): Row[] {
    const { target, name } = this.entry;
    const cpu = median(this.cpu.map((value, round) => value / peer.cpu[round]));
    return Object.keys(this.results[0]).map((unit) => {
      const own = this.results.map((figures) => figures[unit]);
      const others = peer.results.map((figures) => figures[unit]);
      const ratios = own.map((value, round) => value / others[round]);
      const ratio = median(ratios);
      return {
        what: `${this.match.what}: ${name}`,
        ours: `${readable(median(own))} ${unit}`,
        peer: `${peer.entry.name}: ${readable(median(others))} ${unit}`,
        ratio: `${ratio.toFixed(2)} (${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}; processor time ${cpu.toFixed(2)})`,
        must: target ? describe(target) : '',
        met: target && meets(ratio, target),
      };
    });
  }

  async close(): Promise<void> {
    for (const member of this.members.toReversed()) await member.close();
    this.members = [];
  }

  private async start(): Promise<void> {
    const { store, beside = {} } = this.match;
    const place: Place = freePlace(store, await this.course.server(store));
    const helper = beside[this.entry.name];
    const { file, profiles } = this.course;
    if (helper) this.members.push(await Rival.start(file, helper, place));
    this.members.push(await Rival.start(file, this.entry.name, place, this.entry.variant, profiles));
  }
}

export function meets(ratio: number, target: Target): boolean {
  return 'atLeast' in target ? ratio >= target.atLeast : ratio <= target.atMost;
}

export function describe(target: Target): string {
  return 'atLeast' in target ? `at least ${target.atLeast}` : `at most ${target.atMost}`;
}
