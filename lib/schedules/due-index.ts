import type { DueTick } from './schedule-book.js';
import type { Schedule } from './schedule.js';
import type { Schedules } from './snapshot.js';

/** The number of ticks that `due` returns at once. The caller gets the rest with the next call. */
const MAX_DUE = 2_000;

/**
 * The schedules that this process knows, each with the time before which it has no due tick. Asking for due ticks computes
 * ticks only for schedules whose time has come.
 */
export class DueIndex {
  private known = new Map<string, Schedule>();
  private readonly quietUntil = new Map<Schedule, number>();

  get schedules(): Schedules {
    return this.known;
  }

  /** Replaces all schedules. Those that are the same objects as before keep their times. */
  replace(schedules: Schedules): void {
    this.known = new Map(schedules);
    const kept = new Set(schedules.values());
    for (const schedule of this.quietUntil.keys()) if (!kept.has(schedule)) this.quietUntil.delete(schedule);
  }

  /** Replaces the schedules with these ids. Those that were not found are removed. */
  update(ids: Iterable<string>, found: Schedules): void {
    for (const id of ids) {
      const [before, after] = [this.known.get(id), found.get(id)];
      if (before && before !== after) this.quietUntil.delete(before);
      if (after) this.known.set(id, after);
      else this.known.delete(id);
    }
  }

  /** Computes the times of all schedules anew, because the clock or the time since which this process watches changed. */
  reset(): void {
    this.quietUntil.clear();
  }

  /**
   * The ticks for which a task has to be enqueued now. The first schedule is a random one: processes that have to handle
   * many ticks then begin with different ones, and ticks that fail do not always come first.
   */
  due(now: number, watchingSince: number): DueTick[] {
    const due: DueTick[] = [];
    const ready = [...this.known.values()].filter((schedule) => (this.quietUntil.get(schedule) ?? -Infinity) <= now);
    const first = Math.floor(Math.random() * ready.length);
    for (let index = 0; index < ready.length && due.length < MAX_DUE; index++) {
      const schedule = ready[(first + index) % ready.length] as Schedule;
      const ticks = schedule.due(now, watchingSince);
      if (ticks.length === 0) this.quietUntil.set(schedule, schedule.upcoming(now, 1)[0] ?? Infinity);
      for (const tick of ticks) due.push({ schedule, tick });
    }
    return due;
  }

  /** The first time after `now` at which a tick may be due; `Infinity` when there is none. */
  next(): number {
    let next = Infinity;
    for (const schedule of this.known.values()) next = Math.min(next, this.quietUntil.get(schedule) ?? -Infinity);
    return next;
  }
}
