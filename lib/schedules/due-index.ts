import type { DueTick } from './schedule-book.js';
import type { Schedule } from './schedule.js';
import type { Schedules } from './snapshot.js';

/** The number of ticks that `due` returns at once. The caller gets the rest with the next call. */
const MAX_DUE = 2_000;

/**
 * The schedules that this process knows, each with the time before which it has no due tick. Asking for due ticks costs nothing
 * for the schedules whose time has not come, so a change of one schedule takes as long with thousands of others as with few.
 */
export class DueIndex {
  private known = new Map<string, Schedule>();
  /** The schedules that have a due tick, or whose time is not known yet. */
  private readonly ready = new Set<Schedule>();
  /** The times of all others. */
  private readonly quietUntil = new Map<Schedule, number>();
  /** The first of these times, or an earlier one. */
  private firstTime = Infinity;

  get schedules(): Schedules {
    return this.known;
  }

  /** Replaces all schedules. Those that are the same objects as before keep their times. */
  replace(schedules: Schedules): void {
    const kept = new Set(schedules.values());
    for (const schedule of this.known.values()) if (!kept.has(schedule)) this.forget(schedule);
    for (const schedule of kept) if (!this.quietUntil.has(schedule)) this.ready.add(schedule);
    this.known = new Map(schedules);
  }

  /** Replaces the schedules with these ids. Those that were not found are removed. */
  update(ids: Iterable<string>, found: Schedules): void {
    for (const id of ids) {
      const [before, after] = [this.known.get(id), found.get(id)];
      if (before === after) continue;
      if (before) this.forget(before);
      if (after) {
        this.known.set(id, after);
        this.ready.add(after);
      } else this.known.delete(id);
    }
  }

  /** Computes the times of all schedules anew, because the clock or the time since which this process watches changed. */
  reset(): void {
    for (const schedule of this.quietUntil.keys()) this.ready.add(schedule);
    this.quietUntil.clear();
    this.firstTime = Infinity;
  }

  /**
   * The ticks for which a task has to be enqueued now. The first schedule is a random one: processes that have to handle
   * many ticks then begin with different ones, and ticks that fail do not always come first.
   *
   * @param sinceOf the time before which the ticks of a schedule were missed
   * @param isHeld whether the ticks of a schedule have to wait
   */
  due(
    now: number,
    sinceOf: (schedule: Schedule) => number,
    isHeld: (schedule: Schedule) => boolean = () => false,
  ): DueTick[] {
    if (now >= this.firstTime) this.wake(now);
    const due: DueTick[] = [];
    const ready = [...this.ready];
    const first = Math.floor(Math.random() * ready.length);
    for (let index = 0; index < ready.length && due.length < MAX_DUE; index++) {
      const schedule = ready[(first + index) % ready.length] as Schedule;
      if (isHeld(schedule)) continue;
      const ticks = schedule.due(now, sinceOf(schedule));
      if (ticks.length === 0) this.rest(schedule, schedule.upcoming(now, 1)[0] ?? Infinity);
      for (const tick of ticks) due.push({ schedule, tick });
    }
    return due;
  }

  /** The first time at which a tick may be due that need not wait; `Infinity` when there is none. */
  next(isHeld: (schedule: Schedule) => boolean): number {
    for (const schedule of this.ready) if (!isHeld(schedule)) return -Infinity;
    return this.firstTime;
  }

  /** Takes the schedules whose time has come for ready. */
  private wake(now: number): void {
    this.firstTime = Infinity;
    for (const [schedule, time] of this.quietUntil) {
      if (time > now) this.firstTime = Math.min(this.firstTime, time);
      else {
        this.quietUntil.delete(schedule);
        this.ready.add(schedule);
      }
    }
  }

  private rest(schedule: Schedule, until: number): void {
    this.ready.delete(schedule);
    this.quietUntil.set(schedule, until);
    this.firstTime = Math.min(this.firstTime, until);
  }

  private forget(schedule: Schedule): void {
    this.ready.delete(schedule);
    this.quietUntil.delete(schedule);
  }
}
