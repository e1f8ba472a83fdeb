import type { Duration } from '../duration.js';

export interface StatsOptions {
  /** Only tasks of this queue. Default: all queues. */
  readonly queue?: string;
  /** Only tasks of this name. Default: all names. */
  readonly name?: string;
  /** The beginning of the series. Default: an hour before `to`. */
  readonly from?: Date | string | number;
  /** The end of the series. Default: now. */
  readonly to?: Date | string | number;
  /** The length of one point: a whole number of minutes. Default: one minute, or more for a long series. */
  readonly step?: Duration;
}

/** Milliseconds that half, 95 % and 99 % of the tasks stayed below; `null` without a task. They are exact to one percent. */
export interface Percentiles {
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
}

/** What happened to tasks in one step of a series. */
export interface TaskStats {
  /** The beginning of the step, as ISO 8601 text in UTC. */
  readonly at: string;
  /** Tasks that were stored. */
  readonly enqueued: number;
  readonly succeeded: number;
  /** Tasks that failed and are final. */
  readonly failed: number;
  /** Attempts that failed, after which the task runs again. */
  readonly retried: number;
  readonly cancelled: number;
  readonly expired: number;
  /** From the time at which a task could start to its first attempt. */
  readonly wait: Percentiles;
  /** Of one attempt. */
  readonly run: Percentiles;
}
