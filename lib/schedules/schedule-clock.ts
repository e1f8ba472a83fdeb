import { Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { type Engine } from '../engine/engine.js';
import { isFinal } from '../engine/task.js';
import { EngineUnavailableError } from '../errors.js';
import type { DueTick, ScheduleBook } from './schedule-book.js';
import type { ScheduleReconciler } from './schedule-reconciler.js';
import { publicPart } from './schedule-status.js';
import type { Schedule } from './schedule.js';
import type { TickRunner } from './tick-runner.js';

/** Changes are announced; in case an announcement is lost, everything is read again after this. */
const READ_AGAIN_AFTER = 10_000;
/** After a failure. */
const TRY_AGAIN_AFTER = 1_000;
/** An answer that took longer came from an engine that was out of reach. */
const SLOW_ANSWER = 2_000;
/** A timer goes by the time that passes: this is how late it is noticed that the clock was changed. */
const LOOK_AGAIN_AFTER = 1_000;
/** By more than this the clock does not just run unevenly: it was put forward. */
const STEP = 2_000;
/** Who has not looked at the clock for so long was frozen, as by a debugger. */
const ASLEEP = 60_000;
/** How long a look that is under way may hold up the end of the process. */
const STOP_LIMIT = 1_000;

/**
 * Looks to the ticks of all schedules, in every process that runs tasks: each acts on every tick, and what it does is
 * such that doing it again changes nothing ({@link TickRunner}). So there is no leader to lose and none to elect: as long
 * as one process is there, no tick is lost.
 *
 * It knows since when it has been watching: ticks before that, while it was not there or the engine was out of reach,
 * were missed, and a schedule's `catchUp` decides about them.
 */
export class ScheduleClock implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger('TaskQueue');
  private schedules: readonly Schedule[] = [];
  private watchingSince = Infinity;
  private outOfReach = true;
  private lastLook = { clock: Date.now(), passed: performance.now() };
  private readAt = -Infinity;
  private looking: Promise<void> = Promise.resolve();
  private timer: NodeJS.Timeout | undefined;
  private unfollow: (() => void) | undefined;
  private stopped = false;

  constructor(
    private readonly engine: Engine,
    private readonly book: ScheduleBook,
    private readonly runner: TickRunner,
    private readonly reconciler: ScheduleReconciler,
    /** Whether this process runs tasks. */
    private readonly enabled: boolean,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    if (!this.enabled) return;
    const following = this.engine.schedules.follow(() => this.changed());
    this.unfollow = following.stop;
    await following.started;
  }

  async onModuleDestroy(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    this.unfollow?.();
    let limit: NodeJS.Timeout | undefined;
    const over = new Promise<void>((resolve) => (limit = setTimeout(resolve, STOP_LIMIT)));
    await Promise.race([this.looking, over]);
    clearTimeout(limit);
  }

  /** Reads everything and acts on it. Resolves when that is done, or has failed for now. */
  private changed(): Promise<void> {
    this.readAt = -Infinity;
    return this.look();
  }

  /** One look after the other. */
  private look(): Promise<void> {
    this.looking = this.looking.then(async () => {
      if (this.stopped) return;
      clearTimeout(this.timer);
      const wait = await this.act().catch((error: unknown) => this.failed(error));
      if (this.stopped) return;
      clearTimeout(this.timer);
      this.timer = setTimeout(() => void this.look(), wait).unref();
    });
    return this.looking;
  }

  /** Acts on all that is due. @returns how many milliseconds nothing is to be done */
  private async act(): Promise<number> {
    this.keepWatch();
    for (;;) {
      if (Date.now() - this.readAt >= READ_AGAIN_AFTER) await this.read();
      const now = Date.now();
      const due = this.schedules.flatMap((schedule) =>
        schedule.due(now, this.watchingSince).map((tick) => ({ schedule, tick })),
      );
      if (due.length === 0) return this.untilNext();
      if (!(await this.runOpen(due))) return TRY_AGAIN_AFTER;
    }
  }

  /** @returns false when something went wrong that may go well later */
  private async runOpen(due: readonly DueTick[]): Promise<boolean> {
    const { watchingSince } = this;
    const open = await this.contact(() => this.book.open(due));
    if (open === undefined || watchingSince !== this.watchingSince) {
      // Other schedules, or some of these were missed: what is due has to be asked again.
      this.readAt = -Infinity;
      return true;
    }
    return open.length === 0 || this.contact(() => this.runner.run(open));
  }

  private async read(): Promise<void> {
    let snapshot = await this.contact(() => this.book.read());
    if (await this.reconciler.run(snapshot)) snapshot = await this.contact(() => this.book.read());
    this.schedules = [...snapshot.schedules.values()];
    this.readAt = Date.now();
    await this.book.drop(snapshot.outdated);
    await this.noteEnds();
  }

  /** Keeps how the last run of each schedule ended, beyond the time its task is kept. */
  private async noteEnds(): Promise<void> {
    const unknown = this.schedules.flatMap(({ id, lastTask, end }) =>
      lastTask === undefined || end?.task === lastTask ? [] : [{ id, task: lastTask }],
    );
    const records = await Promise.all(unknown.map(({ task }) => this.engine.find(task)));
    const ends = records.flatMap((record, index) => {
      const { id } = unknown[index] as { id: string };
      if (!record || !isFinal(record.state)) return [];
      const { id: task, state, finishedAt, error } = record;
      return [{ id, end: { task, state, finishedAt, error: error && publicPart(error) } }];
    });
    if (ends.length > 0) await this.book.noteEnds(ends);
  }

  /** Asks the engine for something, and notices when it was out of reach. */
  private async contact<T>(ask: () => Promise<T>): Promise<T> {
    const begun = Date.now();
    try {
      const answer = await ask();
      const now = Date.now();
      if (this.outOfReach || now - begun > SLOW_ANSWER) this.watchingSince = now;
      this.outOfReach = false;
      return answer;
    } catch (error) {
      if (error instanceof EngineUnavailableError) this.outOfReach = true;
      throw error;
    }
  }

  /** Notices when nobody looked for long, or the clock was changed. */
  private keepWatch(): void {
    const look = { clock: Date.now(), passed: performance.now() };
    const passed = look.passed - this.lastLook.passed;
    const step = look.clock - this.lastLook.clock - passed;
    this.lastLook = look;
    if (passed <= ASLEEP && Math.abs(step) <= STEP) return;
    this.readAt = -Infinity;
    // Put back: what was done stays done, and what was not yet comes once more. Put forward: what was leapt over is missed.
    if (step < -STEP) this.watchingSince = Math.min(this.watchingSince, look.clock);
    else this.watchingSince = passed > ASLEEP ? look.clock : look.clock - passed;
  }

  private untilNext(): number {
    const now = Date.now();
    const next = this.schedules.map((schedule) => schedule.upcoming(now, 1)[0] ?? Infinity);
    return Math.max(Math.min(...next, this.readAt + READ_AGAIN_AFTER, now + LOOK_AGAIN_AFTER) - now, 0);
  }

  private failed(error: unknown): number {
    // Nothing is known for sure any more.
    this.readAt = -Infinity;
    // The engine says by itself that it is out of reach.
    if (!(error instanceof EngineUnavailableError) && !this.stopped) {
      this.logger.error(`The schedules could not be looked after: ${(error as Error).message}`, (error as Error).stack);
    }
    return TRY_AGAIN_AFTER;
  }
}
