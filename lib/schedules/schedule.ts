import type {
  StoredEnd,
  StoredManualRun,
  StoredPause,
  StoredRun,
  StoredSchedule,
  StoredSkip,
} from './stored-schedule.js';
import type { Timetable } from './timetable.js';

/** Something that became of a tick. */
export type AtTick<T> = T & { readonly tick: number };

/** So many ticks of one schedule are handed out at once; the rest follows. */
const AT_ONCE = 1_000;

/** A schedule with what is known of its ticks. Answers what is due; does nothing. */
export class Schedule {
  readonly #timetable: Timetable;
  run: AtTick<StoredRun> | undefined;
  skip: AtTick<StoredSkip> | undefined;
  pause: StoredPause | undefined;
  manual: StoredManualRun | undefined;
  end: StoredEnd | undefined;

  constructor(
    readonly stored: StoredSchedule,
    timetable: Timetable,
  ) {
    this.#timetable = timetable;
  }

  get id(): string {
    return this.stored.id;
  }

  get paused(): boolean {
    return this.pause?.paused ?? false;
  }

  /** Runs that count against the limit. */
  get runs(): number {
    return this.run && this.run.tick > this.stored.since ? this.run.count : 0;
  }

  /** The task that was started last, by a tick or by hand. */
  get lastTask(): string | undefined {
    const { run, manual } = this;
    return run && (!manual || run.at >= manual.at) ? run.task : manual?.task;
  }

  /** Notes what became of a tick, if nothing later is known. */
  noteRun(run: AtTick<StoredRun>): void {
    if (!this.run || run.tick >= this.run.tick) this.run = run;
  }

  noteSkip(skip: AtTick<StoredSkip>): void {
    if (!this.skip || skip.tick >= this.skip.tick) this.skip = skip;
  }

  /**
   * The ticks to act on.
   *
   * @param watchingSince since when somebody was there to see them: those before were missed, and of all of them at
   * most the last is handed out
   */
  due(now: number, watchingSince: number): number[] {
    if (this.paused) return [];
    const settled = this.#settledUntil;
    const first = this.#timetable.next(settled);
    if (first === undefined || first > now) return [];
    const ticks: number[] = [];
    const missed = settled < watchingSince ? this.#missed(settled, Math.min(watchingSince, now)) : undefined;
    if (missed !== undefined) ticks.push(missed);
    let tick = this.#timetable.next(Math.max(settled, watchingSince));
    while (tick !== undefined && tick <= now && ticks.length < AT_ONCE) {
      ticks.push(tick);
      tick = this.#timetable.next(tick);
    }
    return this.#allowed(ticks);
  }

  /** The ticks to come, at most `count`. */
  upcoming(now: number, count: number): number[] {
    const ticks: number[] = [];
    let tick = this.paused ? undefined : this.#timetable.next(Math.max(now, this.#settledUntil));
    while (tick !== undefined && ticks.length < count) {
      ticks.push(tick);
      tick = this.#timetable.next(tick);
    }
    return this.#allowed(ticks);
  }

  /** Up to here all that there was to do is done. */
  get #settledUntil(): number {
    const { stored, pause, run, skip } = this;
    return Math.max(stored.since, pause?.at ?? 0, run?.tick ?? 0, skip?.tick ?? 0);
  }

  #missed(settled: number, until: number): number | undefined {
    const { catchUp, endsAt = Infinity } = this.stored;
    if (catchUp === 'none') return undefined;
    const last = this.#timetable.previous(Math.min(until, endsAt));
    return last !== undefined && last > settled ? last : undefined;
  }

  #allowed(ticks: readonly number[]): number[] {
    const { endsAt = Infinity, limit = Infinity } = this.stored;
    return ticks.filter((tick) => tick <= endsAt).slice(0, Math.max(limit - this.runs, 0));
  }
}
