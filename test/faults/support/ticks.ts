import type { World } from './world.js';

/** The ticks of a schedule so far, read from the journal. */
export function ticksOf(world: World, schedule: string): Ticks {
  const tasks = new Map<number, Set<string>>();
  for (const { id, detail } of world.recorded('ticked')) {
    const [of, time = ''] = detail.split('@');
    if (of !== schedule) continue;
    const tick = Date.parse(time);
    tasks.set(tick, (tasks.get(tick) ?? new Set()).add(id));
  }
  return new Ticks(tasks);
}

class Ticks {
  /** The times of the ticks, in order. */
  readonly times: readonly number[];

  constructor(private readonly tasksOf: ReadonlyMap<number, ReadonlySet<string>>) {
    this.times = [...tasksOf.keys()].toSorted((a, b) => a - b);
  }

  get tasks(): string[] {
    return [...new Set([...this.tasksOf.values()].flatMap((ids) => [...ids]))];
  }

  /** The ticks with more than one task. */
  get doubled(): string[] {
    return this.times.filter((time) => this.tasksOf.get(time)?.size !== 1).map((time) => new Date(time).toISOString());
  }

  /** The ticks without a task, from the first tick that has a task until this time. */
  missing(every: number, until: number): number[] {
    // When no tick has a task, every tick is missing.
    const [first = until - every] = this.times;
    const missing: number[] = [];
    for (let time = first; time <= until; time += every) if (!this.tasksOf.has(time)) missing.push(time);
    return missing;
  }

  /** The gap between two ticks that is longer than the period, when there is exactly one such gap. */
  gap(every: number): { before: number; after: number } | undefined {
    const gaps = this.times
      .map((after, index) => ({ before: this.times[index - 1] ?? after, after }))
      .filter(({ before, after }) => after - before > every);
    return gaps.length === 1 ? gaps[0] : undefined;
  }
}
