import { endsWithin } from '../../concurrency.js';
import type { StatisticsPort } from '../ports/statistics-port.js';
import type { Bucket } from './bucket.js';
import { Figures } from './figures.js';
import { StatisticsStore, type Slice, type StatisticsStoreDeps } from './statistics-store.js';
import { TaskCounter } from './task-counter.js';

/** Milliseconds after which a process stores what it has counted. */
const STORE_AFTER = 10_000;
/** Milliseconds for which the end of the application waits for the store. */
const CLOSE_LIMIT = 1_000;
const DEFAULT_KEEP = 7 * 86_400_000;
/** Milliseconds for which totals are not read again: a scrape asks for those of each queue. */
const TOTALS_FOR = 1_000;
/** Parts that wait for the store: those of about ten minutes. */
const MOST_UNSTORED = 60;

export interface StatisticsDeps extends Omit<StatisticsStoreDeps, 'keep'> {
  /** Milliseconds for which figures are kept; `false`: this process counts nothing. Default: a week. */
  readonly keep?: number | false;
}

/** The statistics of one engine: what this process counts, and what all processes have stored. */
export class Statistics implements StatisticsPort {
  /** `undefined` when this process counts nothing. */
  readonly counter: TaskCounter | undefined;
  private readonly store: StatisticsStore;
  /** Parts that could not be stored. They keep their keys, because a call without an answer may have stored them. */
  private unstored = new Map<string, Bucket>();
  private totalsRead: { readonly until: number; readonly totals: Promise<Map<string, Figures['counts']>> } | undefined;
  private isClosed = false;
  private timer: NodeJS.Timeout | undefined;
  private flushing: Promise<void> = Promise.resolve();

  constructor({ keep = DEFAULT_KEEP, ...deps }: StatisticsDeps) {
    this.store = new StatisticsStore({ ...deps, keep: keep || DEFAULT_KEEP });
    if (keep !== false) this.counter = new TaskCounter(() => this.flushLater());
  }

  /** Stores what was counted so far. @throws EngineUnavailableError when the engine does not answer in time */
  flush(): Promise<void> {
    const flushed = this.flushing.catch(() => undefined).then(() => this.storeParts());
    this.flushing = flushed;
    return flushed;
  }

  /** What is stored of a range of time, and what this process has counted. */
  async read(from: number, to: number): Promise<Slice[]> {
    await this.flush();
    return this.store.read(from, to);
  }

  /** What was ever counted of a queue. Several calls within {@link TOTALS_FOR} share one reading. */
  async totals(queue: string): Promise<Figures['counts']> {
    const now = performance.now();
    if (!this.totalsRead || now >= this.totalsRead.until) {
      const totals = this.flush().then(() => this.store.totals());
      this.totalsRead = { until: now + TOTALS_FOR, totals };
      totals.catch(() => (this.totalsRead = undefined));
    }
    return (await this.totalsRead.totals).get(queue) ?? new Figures().counts;
  }

  /** Merges what processes have stored. Only one process may do that at a time. */
  merge(): Promise<void> {
    return this.store.merge();
  }

  /** Stores what is left, and counts no more. An outage must not keep the application from closing. */
  async close(): Promise<void> {
    await endsWithin(
      this.flush().catch(() => undefined),
      CLOSE_LIMIT,
    );
    clearTimeout(this.timer);
    this.isClosed = true;
  }

  private flushLater(): void {
    clearTimeout(this.timer);
    if (this.isClosed) return;
    this.timer = setTimeout(() => void this.flush().catch(() => this.flushLater()), STORE_AFTER).unref();
  }

  private async storeParts(): Promise<void> {
    clearTimeout(this.timer);
    for (const [minute, bucket] of this.counter?.take() ?? []) this.unstored.set(this.store.newPart(minute), bucket);
    // The oldest are dropped when the store cannot be reached for long.
    for (const key of [...this.unstored.keys()].slice(0, -MOST_UNSTORED)) this.unstored.delete(key);
    if (this.unstored.size === 0) return;
    const parts = new Map(this.unstored);
    await this.store.add(parts);
    for (const key of parts.keys()) this.unstored.delete(key);
  }
}
