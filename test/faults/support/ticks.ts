import type { World } from './world.js';

/** The ticks of a schedule so far, by what their tasks wrote down. */
export function ticksOf(world: World, schedule: string): Ticks {
  const tasks = new Map<number, Set<string>>();
  for (const { id, more } of world.noted('ticked')) {
    const [of, time = ''] = more.split('@');
    if (of !== schedule) continue;
    const tick = Date.parse(time);
    tasks.set(tick, (tasks.get(tick) ?? new Set()).add(id));
  }
  return new Ticks(tasks);
}

class Ticks {
  /** In order. */
  readonly times: readonly number[];

  constructor(private readonly tasksOf: ReadonlyMap<number, ReadonlySet<string>>) {
    this.times = [...tasksOf.keys()].toSorted((a, b) => a - b);
  }

  get tasks(): string[] {
    return [...new Set([...this.tasksOf.values()].flatMap((ids) => [...ids]))];
  }

  /** Those with more than one task. */
  get doubled(): string[] {
    return this.times.filter((time) => this.tasksOf.get(time)?.size !== 1).map((time) => new Date(time).toISOString());
  }

  /** Those without a task, from the first that has one until this time. */
  missing(every: number, until: number): number[] {
    // Without any at all everything is missing.
    const [first = until - every] = this.times;
    const missing: number[] = [];
    for (let time = first; time <= until; time += every) if (!this.tasksOf.has(time)) missing.push(time);
    return missing;
  }

  /** The time without ticks, when there is exactly one. */
  gap(every: number): { before: number; after: number } | undefined {
    const gaps = this.times
      .map((after, index) => ({ before: this.times[index - 1] ?? after, after }))
      .filter(({ before, after }) => after - before > every);
    return gaps.length === 1 ? gaps[0] : undefined;
  }
}
