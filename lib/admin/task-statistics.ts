import { parseDuration, type Duration } from '../duration.js';
import type { Engine } from '../engine/engine.js';
import { Figures, type CountedEvent } from '../engine/statistics/figures.js';
import type { Slice } from '../engine/statistics/statistics-store.js';
import { InvalidArgumentsError } from '../errors.js';
import { timeOf, wrong } from './task-filter.js';

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

export const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** The most points of one series. */
const MOST_POINTS = 2_000;
/** The points of a series without a step. */
const USUAL_POINTS = 120;

/** Makes series of what was counted. */
export class TaskStatistics {
  constructor(private readonly engine: Pick<Engine, 'statistics' | 'now'>) {}

  /** See `TaskAdmin.stats`. */
  async series(options: StatsOptions): Promise<TaskStats[]> {
    const { from, to, step } = this.range(options);
    const slices = await this.engine.statistics.read(from, to);
    const points = Array.from({ length: Math.ceil((to - from) / step) }, () => new Figures());
    for (const { at, bucket } of slices) {
      const point = points[Math.floor((at - from) / step)];
      for (const [queue, name, figures] of bucket.entries())
        if (point && matches(options, queue, name)) point.merge(figures);
    }
    return points.map((figures, place) => toStats(from + place * step, figures));
  }

  private range({ from, to, step }: StatsOptions): { from: number; to: number; step: number } {
    const end = timeOf(to, 'to', '') ?? this.engine.now();
    const begin = timeOf(from, 'from', '') ?? end - HOUR;
    if (begin >= end) {
      throw new InvalidArgumentsError(
        `from is ${isoTime(begin)}, which is not before to (${isoTime(end)}). Swap them.`,
      );
    }
    const length = step === undefined ? usualStep(end - begin) : stepOf(step);
    // Steps begin at whole minutes, hours or days, as the figures are stored.
    const first = Math.floor(begin / length) * length;
    const points = Math.ceil((end - first) / length);
    if (points > MOST_POINTS) {
      throw new InvalidArgumentsError(
        `step is ${length} ms, which makes ${points} points. Give a longer step, or a shorter time: ${MOST_POINTS} points at most.`,
      );
    }
    return { from: first, to: first + points * length, step: length };
  }
}

/** The sums of one queue since a time. */
export function countsOf(
  slices: readonly Slice[],
  wanted: { readonly queue: string; readonly since: number },
): Record<CountedEvent, number> {
  const sum = new Figures().counts;
  for (const { at, bucket } of slices) {
    if (at < wanted.since) continue;
    for (const [queue, , { counts }] of bucket.entries()) {
      if (queue !== wanted.queue) continue;
      for (const event of Object.keys(sum) as CountedEvent[]) sum[event] += counts[event];
    }
  }
  return sum;
}

function matches({ queue, name }: StatsOptions, ofQueue: string, ofName: string): boolean {
  return (queue === undefined || queue === ofQueue) && (name === undefined || name === ofName);
}

function toStats(at: number, { counts, wait, run }: Figures): TaskStats {
  return { at: isoTime(at), ...counts, wait: percentilesOf(wait), run: percentilesOf(run) };
}

function percentilesOf(durations: Figures['run']): Percentiles {
  return { p50: durations.percentile(0.5), p95: durations.percentile(0.95), p99: durations.percentile(0.99) };
}

function usualStep(length: number): number {
  return Math.max(Math.ceil(length / USUAL_POINTS / MINUTE), 1) * MINUTE;
}

function stepOf(step: Duration): number {
  let length = 0;
  try {
    length = parseDuration(step, 'step');
  } catch (error) {
    throw new InvalidArgumentsError((error as Error).message);
  }
  if (length >= MINUTE && length % MINUTE === 0) return length;
  throw wrong('step', step, `Give a whole number of minutes: '1m', '10m', '1h'.`);
}

function isoTime(time: number): string {
  return new Date(time).toISOString();
}
