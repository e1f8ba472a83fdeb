import { Figures } from '../engine/statistics/figures.js';
import type { StatsOptions, TaskStats } from './task-stats.js';

export interface StatsByOptions extends StatsOptions {
  /** The most queues or names, 1 to 1,000; those with the most attempts. Default: 1,000. */
  readonly limit?: number;
}

/** What happened to the tasks of one queue, or of one name in one queue. */
export interface StatsGroup {
  readonly queue: string;
  /** The name of the tasks; `null` when the group is a whole queue. */
  readonly name: string | null;
  /** The whole span of time; `at` is its beginning. */
  readonly total: TaskStats;
  /** One entry for each step, the oldest first. */
  readonly points: readonly TaskStats[];
}

interface Group {
  readonly queue: string;
  readonly name: string | null;
  readonly total: Figures;
  readonly points: Map<number, Figures>;
}

/** Sums figures by queue, or by the names of tasks. */
export class StatisticsGroups {
  private readonly groups = new Map<string, Group>();

  constructor(
    private readonly by: 'queue' | 'name',
    private readonly points: number,
  ) {}

  /** @param place the step in which the figures are */
  add(queue: string, name: string, place: number, figures: Figures): void {
    const key = this.by === 'queue' ? queue : JSON.stringify([queue, name]);
    const group = this.groups.get(key) ?? {
      queue,
      name: this.by === 'queue' ? null : name,
      total: new Figures(),
      points: new Map<number, Figures>(),
    };
    this.groups.set(key, group);
    group.total.merge(figures);
    const point = group.points.get(place) ?? new Figures();
    point.merge(figures);
    group.points.set(place, point);
  }

  busiest(limit: number, toStats: (place: number, figures: Figures) => TaskStats): StatsGroup[] {
    const nothing = new Figures();
    return [...this.groups.values()]
      .toSorted((one, other) => attemptsOf(other.total) - attemptsOf(one.total))
      .slice(0, limit)
      .map(({ queue, name, total, points }) => ({
        ...{ queue, name, total: toStats(0, total) },
        points: Array.from({ length: this.points }, (_, place) => toStats(place, points.get(place) ?? nothing)),
      }));
  }
}

function attemptsOf({ counts }: Figures): number {
  return counts.succeeded + counts.failed + counts.retried;
}
