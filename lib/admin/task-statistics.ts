import { parseDuration, type Duration } from '../duration.js';
import type { Engine } from '../engine/engine.js';
import { Figures, type CountedEvent } from '../engine/statistics/figures.js';
import type { Slice } from '../engine/statistics/statistics-store.js';
import { InvalidArgumentsError } from '../errors.js';
import { isQueueOfTasks } from '../engine/task-id.js';
import { StatisticsGroups, type StatsByOptions, type StatsGroup } from './statistics-groups.js';
import type { Percentiles, StatsOptions, TaskStats } from './task-stats.js';
import { timeOf, wrong } from './task-filter.js';

export const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** The most points of one series. */
const MOST_POINTS = 2_000;
/** The points of a series without a step. */
const USUAL_POINTS = 120;
/** The most groups of `statsBy()`. */
const MOST_GROUPS = 1_000;

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

  /** See `TaskAdmin.statsBy`. */
  async groups(by: 'queue' | 'name', { limit = MOST_GROUPS, ...options }: StatsByOptions): Promise<StatsGroup[]> {
    if (by !== 'queue' && by !== 'name') throw wrong('by', by, `Give 'queue' or 'name'.`);
    if (!Number.isSafeInteger(limit) || limit < 1 || limit > MOST_GROUPS)
      throw wrong('limit', limit, `Give a whole number from 1 to ${MOST_GROUPS}.`);
    const { from, to, step } = this.range(options);
    const groups = new StatisticsGroups(by, Math.ceil((to - from) / step));
    for (const { at, bucket } of await this.engine.statistics.read(from, to))
      for (const [queue, name, figures] of bucket.entries())
        if (matches(options, queue, name) && isQueueOfTasks(queue))
          groups.add(queue, name, Math.floor((at - from) / step), figures);
    return groups.busiest(limit, (place, figures) => toStats(from + place * step, figures));
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
