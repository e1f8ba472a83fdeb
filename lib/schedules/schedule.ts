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
/**
 * A tick is acted on although a later one was acted on already, by a process that was faster or started meanwhile, or
 * after an attempt that failed. One that is older than this against the last is settled: it was missed.
 */
const LATE = 60_000;

/** A schedule with what is known of its ticks. Answers what is due; does nothing. */
export class Schedule {
  readonly #timetable: Timetable;
  /** The ticks of the last while of which it is known what became of them. */
  readonly #settled = new Set<number>();
  #settledUntil = -Infinity;
  #runs = 0;
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
    return this.#runs;
  }

  /** The task that was started last, by a tick or by hand. */
  get lastTask(): string | undefined {
    const { run, manual } = this;
    return run && (!manual || run.at >= manual.at) ? run.task : manual?.task;
  }

  /** Notes what became of a tick; `run` and `skip` stay the latest. */
  noteRun(run: AtTick<StoredRun>): void {
    this.#settled.add(run.tick);
    // One that came late counts after a later one.
    if (run.tick > this.stored.since) this.#runs = Math.max(this.#runs, run.count);
    if (!this.run || run.tick >= this.run.tick) this.run = run;
  }

  noteSkip(skip: AtTick<StoredSkip>): void {
    this.#settled.add(skip.tick);
    if (!this.skip || skip.tick >= this.skip.tick) this.skip = skip;
  }

  /**
   * The ticks to act on.
   *
   * @param watchingSince since when somebody was there to see them: those before were missed, and of all of them at
   * most the last is handed out
   */
  due(now: number, watchingSince: number): number[] {
    const { endsAt = Infinity, limit = Infinity } = this.stored;
    if (this.paused || this.runs >= limit) return [];
    const until = Math.min(now, endsAt);
    const ticks: number[] = [];
    const missed = this.#missed(until, watchingSince);
    if (missed !== undefined) ticks.push(missed);
    let tick = this.#timetable.next(this.#skipSettled(watchingSince, until));
    while (tick !== undefined && tick <= until && ticks.length < AT_ONCE) {
      if (!this.#settled.has(tick)) ticks.push(tick);
      tick = this.#timetable.next(tick);
    }
    return this.#allowed(ticks);
  }

  /** The ticks to come, at most `count`. */
  upcoming(now: number, count: number): number[] {
    const ticks: number[] = [];
    let tick = this.paused ? undefined : this.#timetable.next(Math.max(now, this.#latest));
    while (tick !== undefined && ticks.length < count) {
      ticks.push(tick);
      tick = this.#timetable.next(tick);
    }
    return this.#allowed(ticks);
  }

  /** No tick up to here was ever meant. */
  get #beginning(): number {
    return Math.max(this.stored.since, this.pause?.at ?? 0);
  }

  /** The last tick that was acted on. */
  get #latest(): number {
    return Math.max(this.#beginning, this.run?.tick ?? 0, this.skip?.tick ?? 0);
  }

  /** The last tick before somebody watched, unless that or a later one was acted on. */
  #missed(until: number, watchingSince: number): number | undefined {
    const latest = this.#latest;
    if (this.stored.catchUp === 'none' || latest >= watchingSince) return undefined;
    // Going back takes long, and mostly there is nothing.
    if ((this.#timetable.next(latest) ?? Infinity) > until) return undefined;
    const last = this.#timetable.previous(Math.min(watchingSince, until));
    return last !== undefined && last > latest ? last : undefined;
  }

  /** Up to where each tick is settled, from where somebody has to look at them. */
  #skipSettled(watchingSince: number, until: number): number {
    const from = Math.max(this.#beginning, watchingSince, this.#latest - LATE);
    if (this.#settledUntil < from) this.#settledUntil = from;
    for (;;) {
      const tick = this.#timetable.next(this.#settledUntil);
      if (tick === undefined || tick > until || !this.#settled.has(tick)) return this.#settledUntil;
      this.#settledUntil = tick;
    }
  }

  #allowed(ticks: readonly number[]): number[] {
    const { endsAt = Infinity, limit = Infinity } = this.stored;
    return ticks.filter((tick) => tick <= endsAt).slice(0, Math.max(limit - this.runs, 0));
  }
}
