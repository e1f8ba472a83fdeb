import { randomUUID } from 'node:crypto';
import type { SnapshotPort } from '../engine/ports/snapshot-port.js';
import { METRICS, type Sample } from './metric-list.js';

/** The number of the form of the stored texts. A process does not read another form, and stores its own beside it. */
const FORMAT = 1;
const SNAPSHOT = `metrics:${FORMAT}`;
const CLAIM = `metrics-claim:${FORMAT}`;
/** Milliseconds for which another process may take to count before this one does it itself. */
const CLAIM_LIFE = 15_000;
/** Milliseconds after which a process that claimed the work finds out whether another one claimed it too. */
const CLAIM_PAUSE = 50;
/** A snapshot is shown for so many intervals, and for a minute at least: old figures would hide that nothing counts any more. */
const SHOWN_FOR = 4;
const SHOWN_AT_LEAST = 60_000;

export interface SharedSnapshotDeps {
  readonly store: SnapshotPort;
  readonly now: () => number;
  /** Milliseconds for which a snapshot is shown before the next one is made. */
  readonly interval: number;
  /** Counts what is stored. */
  readonly read: () => Promise<readonly Sample[]>;
}

interface Snapshot {
  readonly at: number;
  readonly samples: readonly Sample[];
}

/**
 * The figures of the store, counted once an interval by one of the processes that are asked for them. The others show what it has
 * stored, so a hundred processes cost the store little more than one.
 *
 * A process that finds an old snapshot claims the work: it writes its name and reads it again a moment later. When two do so at the same
 * time, the last one counts. No leader can be lost, and a process that dies while it counts is replaced after 15 seconds. That two
 * processes count once in a while costs a little and spoils nothing.
 */
export class SharedSnapshot {
  private readonly self = randomUUID();
  private last: Snapshot | undefined;
  private reading: Promise<Snapshot | undefined> | undefined;

  constructor(private readonly deps: SharedSnapshotDeps) {}

  /**
   * The latest figures; none when there is no snapshot, or only one that is too old.
   *
   * @throws EngineUnavailableError
   */
  async samples(): Promise<readonly Sample[]> {
    if (!this.last || !this.isFresh(this.last)) {
      this.reading ??= this.refresh().finally(() => (this.reading = undefined));
      this.last = await this.reading;
    }
    const { last } = this;
    return last && this.ageOf(last.at) < Math.max(this.deps.interval * SHOWN_FOR, SHOWN_AT_LEAST) ? last.samples : [];
  }

  private async refresh(): Promise<Snapshot | undefined> {
    const { store } = this.deps;
    const [text, claim] = await store.get([SNAPSHOT, CLAIM]);
    const stored = parseSnapshot(text);
    if (stored && this.isFresh(stored)) return stored;
    const claimedAt = parseClaim(claim)?.at;
    if (claimedAt !== undefined && this.ageOf(claimedAt) < CLAIM_LIFE && !isOlder(claimedAt, stored)) return stored;
    await store.set({ [CLAIM]: JSON.stringify({ by: this.self, at: this.deps.now() }) });
    await new Promise((resolve) => setTimeout(resolve, CLAIM_PAUSE));
    const [winner] = await store.get([CLAIM]);
    if (parseClaim(winner)?.by !== this.self) return stored;
    const samples = await this.deps.read();
    const made = { at: this.deps.now(), samples };
    await store.set({ [SNAPSHOT]: JSON.stringify(made) });
    return made;
  }

  private isFresh({ at }: Snapshot): boolean {
    return this.ageOf(at) < this.deps.interval;
  }

  /** A time from the future is not believed. */
  private ageOf(at: number): number {
    return Math.abs(this.deps.now() - at);
  }
}

/** Whether the claim led to this snapshot, so that it is done with. */
function isOlder(claimedAt: number, snapshot: Snapshot | undefined): boolean {
  return snapshot !== undefined && claimedAt <= snapshot.at;
}

/** @returns `undefined` for a text of another form: any client of the store may write any text */
function parseSnapshot(text: string | undefined): Snapshot | undefined {
  const { at, samples } = parse(text) as { at?: unknown; samples?: unknown };
  return typeof at === 'number' && Array.isArray(samples) && samples.every(isSample) ? { at, samples } : undefined;
}

function parseClaim(text: string | undefined): { readonly by: string; readonly at: number } | undefined {
  const { by, at } = parse(text) as { by?: unknown; at?: unknown };
  return typeof by === 'string' && typeof at === 'number' ? { by, at } : undefined;
}

function parse(text: string | undefined): object {
  try {
    const value: unknown = JSON.parse(text ?? 'null');
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}

function isSample(value: unknown): value is Sample {
  if (typeof value !== 'object' || value === null) return false;
  const { key, labels, value: figure } = value as Partial<Record<keyof Sample, unknown>>;
  if (typeof key !== 'string' || !Object.hasOwn(METRICS, key) || typeof figure !== 'number') return false;
  const names: readonly string[] = METRICS[key as keyof typeof METRICS].labels;
  return (
    typeof labels === 'object' &&
    labels !== null &&
    Object.entries(labels).every(([name, text]) => names.includes(name) && typeof text === 'string')
  );
}
