import { createDatabase } from '../../test/support/servers.js';
import type { Figures, Place } from './contender.js';
import { median, readable } from './figures.js';
import { freePlace, Rival } from './rival.js';

/** One row of a table. */
export interface Row {
  readonly what: string;
  readonly ours: string;
  readonly peer: string;
  /** The figure of this package divided by that of its peer, with the smallest and the largest ratio. */
  readonly ratio: string;
  /** The target of the ratio; empty when the ratio has none. */
  readonly must: string;
  readonly met: boolean | undefined;
}

/** The limit of a ratio: of each unit that the contender measures, or of one of them. The ratios of others are only printed. */
export type Target = ({ readonly atLeast: number } | { readonly atMost: number }) & { readonly unit?: string };

/** What a comparison gets from main.ts. */
export interface Course {
  /** The file of the comparison, which exports its contenders. */
  readonly file: string;
  readonly rounds: number;
  readonly profiles: string | undefined;
  /** Starts a server for this run, unless it runs already. Resolves to its address. */
  server(store: 'redis' | 'postgres'): Promise<string>;
  /** A value of the command line (`--waiting=1000000`), or `byDefault`. */
  option(name: string, byDefault: number): number;
}

/** One contender of a comparison. */
export interface Entry {
  readonly name: string;
  readonly variant?: number;
  /** Without a target, the ratio is only printed. */
  readonly target?: Target;
}

export interface Match {
  readonly what: string;
  readonly store: 'redis' | 'postgres';
  /** The contender that all others are compared with. */
  readonly peer: Entry;
  readonly rivals: readonly Entry[];
  /**
   * Runs many short rounds in several processes, for times below a millisecond: the speed of a machine changes from one second to the
   * next, and what V8 makes of a program from one process to the next.
   */
  readonly short?: {
    /** How many processes run each entry, one after the other. */
    readonly processes: number;
    /** How many rounds each process runs for each round of the command line. */
    readonly rounds: number;
  };
  /** Starts every round in a new process, for work that a process can do only once. */
  readonly fresh?: boolean;
  /**
   * For an entry: a second contender that works in the same place while the entry is measured, for example its worker.
   */
  readonly beside?: Readonly<Record<string, string>>;
  /** Measures the contender from outside. By default the contender measures itself. */
  readonly measure?: (rival: Rival) => Promise<Figures>;
}

/** Rounds before the rounds that count. */
const WARM_UP = 1;

/**
 * Runs the entries in turn, round after round, each in a process of its own.
 *
 * @returns one row for each rival and unit
 */
export async function compare(course: Course, match: Match): Promise<Row[]> {
  const entries = [match.peer, ...match.rivals];
  const teams = entries.map((entry) => new Team(course, match, entry));
  const { processes, rounds } = match.short ?? { processes: 1, rounds: 1 };
  for (let process = 0; process < processes; process++) {
    for (let round = -WARM_UP; round < course.rounds * rounds; round++) {
      // The order is reversed in each round, so that a slow phase of the machine affects all entries alike.
      for (const team of round % 2 ? teams : teams.toReversed()) await team.play(round >= 0);
    }
    await Promise.all(teams.map((team) => team.close()));
  }
  const [peer, ...rivals] = teams as [Team, ...Team[]];
  return rivals.flatMap((rival) => rival.rowsAgainst(peer));
}

/** The processes of one entry: its helper, if it has one, and the contender. */
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
    const { target: limit, name } = this.entry;
    const cpu = median(this.cpu.map((value, round) => value / peer.cpu[round]));
    return Object.keys(this.results[0]).map((unit) => {
      const own = this.results.map((figures) => figures[unit]);
      const others = peer.results.map((figures) => figures[unit]);
      const ratios = own.map((value, round) => value / others[round]);
      const ratio = median(ratios);
      const target = limit?.unit === undefined || limit.unit === unit ? limit : undefined;
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
    const place: Place = freePlace(store, await this.address());
    const helper = beside[this.entry.name];
    const { file, profiles } = this.course;
    if (helper) this.members.push(await Rival.start(file, helper, place));
    this.members.push(await Rival.start(file, this.entry.name, place, this.entry.variant, profiles));
  }

  /**
   * Each entry has a database of its own: PostgreSQL delivers a notification in the whole database, so the idle workers of the other
   * entries would ask for each job of this one.
   */
  private async address(): Promise<string> {
    const { store } = this.match;
    const server = await this.course.server(store);
    return store === 'postgres' ? (await createDatabase(server)).url : server;
  }
}

export function meets(ratio: number, target: Target): boolean {
  return 'atLeast' in target ? ratio >= target.atLeast : ratio <= target.atMost;
}

export function describe(target: Target): string {
  return 'atLeast' in target ? `at least ${target.atLeast}` : `at most ${target.atMost}`;
}
