import { latestBelievable } from './future-times.js';
import type {
  AtTick,
  ScheduleTexts,
  StoredEnd,
  StoredManualRun,
  StoredPause,
  StoredRun,
  StoredSchedule,
  StoredSkip,
} from './stored-schedule.js';
import type { Timetable } from './timetable.js';

/** Why a stored schedule cannot be read. */
export interface Broken {
  readonly reason: string;
  /** Whether a later version of this package stored it. No process changes it by itself. */
  readonly isNewer: boolean;
}

/** The number of ticks that `due` returns at once. The caller gets the rest with the next call. */
const MAX_DUE = 1_000;
/**
 * Milliseconds. A tick may be unhandled although a later tick has been handled: another process was faster or has just
 * started, or an attempt failed. Such a tick is still due, unless it is older than the last handled tick by more than
 * this: then it counts as missed.
 */
const LATE_LIMIT = 60_000;
/** The number of handled ticks that are remembered before those are forgotten that no search reaches any more. */
const MAX_HANDLED = 2_000;

/**
 * A stored schedule with its timetable and the records of its ticks. It computes which ticks are due, and has no side
 * effects. A tick is **handled** once a task was enqueued for it (a run) or the tick was skipped.
 */
export class Schedule {
  readonly #timetable: Timetable;
  /** The handled ticks that this process knows of. */
  readonly #handled = new Set<number>();
  /** The search for due ticks starts after this time: every earlier tick is handled or missed. */
  #handledUntil = -Infinity;
  #believable = Infinity;
  #runs = 0;
  #taskWithoutRecord: string | undefined;
  /** The run of the latest tick. */
  run: AtTick<StoredRun> | undefined;
  /** The latest skipped tick. */
  skip: AtTick<StoredSkip> | undefined;
  pause: StoredPause | undefined;
  manual: StoredManualRun | undefined;
  end: StoredEnd | undefined;
  /** Why the stored schedule cannot be read; `undefined` when it can. A broken schedule has no tick. */
  readonly broken: Broken | undefined;
  /** The texts that this schedule was read from; `undefined` when it was not read from the store. */
  readonly texts: ScheduleTexts | undefined;

  constructor(
    readonly stored: StoredSchedule,
    timetable: Timetable,
    { broken, texts }: { readonly broken?: Broken; readonly texts?: ScheduleTexts } = {},
  ) {
    this.#timetable = timetable;
    this.broken = broken;
    this.texts = texts;
  }

  get id(): string {
    return this.stored.id;
  }

  get paused(): boolean {
    return this.pause?.paused ?? false;
  }

  /** The number of runs that count against the limit. */
  get runs(): number {
    return this.#runs;
  }

  /** The id of the task that was enqueued last, at a tick or by `runNow()`. */
  get lastTask(): string | undefined {
    const { run, manual } = this;
    return run && (!manual || run.at >= manual.at) ? run.task : manual?.task;
  }

  /** Whether the end of the last task is recorded, or can no longer be found. */
  get isEndKnown(): boolean {
    return this.end?.task === this.lastTask || this.#taskWithoutRecord === this.lastTask;
  }

  /** The engine has no record of the last task any more. */
  endIsLost(): void {
    this.#taskWithoutRecord = this.lastTask;
  }

  /** Records that a tick was handled by a run, in any order of ticks. */
  recordRun(run: AtTick<StoredRun>): void {
    this.recordHandled(run.tick);
    // A late tick may have a higher count than a later tick.
    if (run.tick > this.stored.since) this.#runs = Math.max(this.#runs, run.count);
    if (!this.run || run.tick >= this.run.tick) this.run = run;
  }

  /** Records that a tick was handled, when its record cannot be read. */
  recordHandled(tick: number): void {
    this.#handled.add(tick);
    if (this.#handled.size <= MAX_HANDLED) return;
    const from = this.latest - LATE_LIMIT;
    for (const known of this.#handled) if (known < from) this.#handled.delete(known);
  }

  /**
   * Takes over the handled ticks that an earlier reading of the schedule knows. Their records may be lost, or may not have
   * been read this time.
   */
  remember(earlier: Schedule): void {
    for (const tick of earlier.#handled) this.recordHandled(tick);
    if (earlier.run) this.recordRun(earlier.run);
    if (earlier.skip) this.recordSkip(earlier.skip);
  }

  /** Records that a tick was skipped, in any order of ticks. */
  recordSkip(skip: AtTick<StoredSkip>): void {
    this.recordHandled(skip.tick);
    if (!this.skip || skip.tick >= this.skip.tick) this.skip = skip;
  }

  /**
   * The ticks for which a task has to be enqueued now, as far as this process knows.
   *
   * @param watchingSince the time since which this process has watched the ticks. Earlier ticks were missed; at most
   * the last of them is due
   */
  due(now: number, watchingSince: number): number[] {
    const { endsAt = Infinity, limit = Infinity } = this.stored;
    if (this.paused || this.runs >= limit) return [];
    this.#disbelieveAfter(latestBelievable(now));
    const until = Math.min(now, endsAt);
    const ticks: number[] = [];
    const missed = this.#lastMissed(until, watchingSince);
    if (missed !== undefined) ticks.push(missed);
    let tick = this.#timetable.next(this.#skipHandled(watchingSince, until));
    while (tick !== undefined && tick <= until && ticks.length < MAX_DUE) {
      if (!this.#handled.has(tick)) ticks.push(tick);
      tick = this.#timetable.next(tick);
    }
    return this.#withinLimits(ticks);
  }

  /** The next ticks, at most `count`. A paused schedule has none. */
  upcoming(now: number, count: number): number[] {
    this.#disbelieveAfter(latestBelievable(now));
    const ticks: number[] = [];
    let tick = this.paused ? undefined : this.#timetable.next(Math.max(now, this.latest));
    while (tick !== undefined && ticks.length < count) {
      ticks.push(tick);
      tick = this.#timetable.next(tick);
    }
    return this.#withinLimits(ticks);
  }

  /** The last ticks at or before `now`, the latest first: `count` at most. Ticks of an earlier timing are left out. */
  past(now: number, count: number): number[] {
    const ticks: number[] = [];
    let tick = this.broken ? undefined : this.#timetable.previous(Math.min(now, this.stored.endsAt ?? Infinity));
    while (tick !== undefined && tick > this.stored.since && ticks.length < count) {
      ticks.push(tick);
      tick = this.#timetable.previous(tick - 1);
    }
    return ticks;
  }

  /**
   * Ticks at or before this time do not count: the schedule had another timing, or was paused. A time that is not believed
   * counts as unknown.
   */
  get #beginning(): number {
    return Math.max(...this.#beginnings.filter((time) => time <= this.#believable), 0);
  }

  get #beginnings(): readonly number[] {
    return [this.stored.since, this.pause?.at ?? 0];
  }

  /** Forgets what was recorded while a clock was ahead. */
  #disbelieveAfter(time: number): void {
    this.#believable = time;
    if (this.#handledUntil > time) this.#handledUntil = -Infinity;
    if ((this.run?.tick ?? 0) <= time && (this.skip?.tick ?? 0) <= time) return;
    if (this.run && this.run.tick > time) this.run = undefined;
    if (this.skip && this.skip.tick > time) this.skip = undefined;
    for (const tick of this.#handled) if (tick > time) this.#handled.delete(tick);
  }

  /** The last handled tick; the beginning when there is none. */
  get latest(): number {
    return Math.max(this.#beginning, this.run?.tick ?? 0, this.skip?.tick ?? 0);
  }

  /** The last tick before this process watched, unless that tick or a later one has been handled. */
  #lastMissed(until: number, watchingSince: number): number | undefined {
    const latest = this.latest;
    if (this.stored.catchUp === 'none' || latest >= watchingSince) return undefined;
    // Without a known beginning, any earlier tick may be older than the schedule.
    if (this.#beginnings.some((time) => time > this.#believable)) return undefined;
    // Computing an earlier tick takes long, and mostly there is none.
    if ((this.#timetable.next(latest) ?? Infinity) > until) return undefined;
    const last = this.#timetable.previous(Math.min(watchingSince, until));
    return last !== undefined && last > latest ? last : undefined;
  }

  /** The time up to which every tick is handled, from the first tick that could be due. */
  #skipHandled(watchingSince: number, until: number): number {
    const from = Math.max(this.#beginning, watchingSince, this.latest - LATE_LIMIT);
    if (this.#handledUntil < from) this.#handledUntil = from;
    for (;;) {
      const tick = this.#timetable.next(this.#handledUntil);
      if (tick === undefined || tick > until || !this.#handled.has(tick)) return this.#handledUntil;
      this.#handledUntil = tick;
    }
  }

  /** The ticks before the end of the schedule, as many as its limit leaves. */
  #withinLimits(ticks: readonly number[]): number[] {
    const { endsAt = Infinity, limit = Infinity } = this.stored;
    return ticks.filter((tick) => tick <= endsAt).slice(0, Math.max(limit - this.runs, 0));
  }
}
