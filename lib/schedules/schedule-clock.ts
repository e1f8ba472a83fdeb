import { Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { type Engine } from '../engine/engine.js';
import { isFinal } from '../engine/task.js';
import { inBatches } from '../concurrency.js';
import { EngineUnavailableError } from '../errors.js';
import type { DueTick, ScheduleBook } from './schedule-book.js';
import type { ScheduleReconciler } from './schedule-reconciler.js';
import { publicPart } from './schedule-status.js';
import type { Schedule } from './schedule.js';
import type { TickRunner } from './tick-runner.js';

/** Milliseconds after which the schedules are read again, in case the announcement of a change was lost. */
const READ_INTERVAL = 10_000;
/** The most tasks that are looked up at the same time. */
const FINDS_AT_ONCE = 100;
/** Milliseconds from a failure to the next pass. */
const RETRY_DELAY = 1_000;
/** Milliseconds. An answer that took longer came from an engine that could not be reached for a while. */
const SLOW_ANSWER = 2_000;
/**
 * The longest time between two passes, in milliseconds. A timer follows the time that passes and not the engine's clock,
 * so this is how late a change of that clock is detected.
 */
const LONGEST_PAUSE = 1_000;
/** Milliseconds. A larger difference between the engine's clock and the passed time means that the clock was changed. */
const CLOCK_STEP = 2_000;
/** Milliseconds. A process without a pass for longer than this was frozen, for example by a debugger. */
const FROZEN_AFTER = 60_000;
/** The longest time in milliseconds for which a running pass delays the end of the process. */
const STOP_LIMIT = 1_000;

/**
 * Runs the ticks of all schedules, in every process that runs tasks. Each of these processes runs every tick that is
 * not handled yet, and running a tick twice changes nothing ({@link TickRunner}). So there is no leader that could be
 * lost or would have to be elected: no tick is lost as long as one process runs.
 *
 * The clock works in passes: each pass runs all due ticks and schedules the next pass. The clock remembers since when
 * it has watched the ticks. Ticks before that time, while this process did not run or could not reach the engine, were
 * missed, and the schedule's `catchUp` decides about them.
 */
export class ScheduleClock implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger('TaskQueue');
  private schedules: readonly Schedule[] = [];
  private watchingSince = Infinity;
  private unreachable = true;
  private lastPassAt: { readonly now: number; readonly monotonic: number } | undefined;
  private readAt = -Infinity;
  private currentPass: Promise<void> = Promise.resolve();
  /** The reasons that were logged, by the id of the broken schedule. */
  private readonly reportedReasons = new Map<string, string>();
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
    const following = this.engine.schedules.follow(() => this.onChange());
    this.unfollow = following.stop;
    await following.started;
  }

  /** Takes in the schedules of a module that was loaded after the start. */
  async reload(): Promise<void> {
    if (!this.unfollow || this.stopped) return;
    this.reconciler.grow();
    await this.onChange();
  }

  async onModuleDestroy(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    this.unfollow?.();
    let limit: NodeJS.Timeout | undefined;
    const over = new Promise<void>((resolve) => (limit = setTimeout(resolve, STOP_LIMIT)));
    await Promise.race([this.currentPass, over]);
    clearTimeout(limit);
  }

  /** Reads everything again and runs what is due. Resolves when that is done, or has failed for now. */
  private onChange(): Promise<void> {
    this.readAt = -Infinity;
    return this.runPass();
  }

  /** Runs a pass after the current one has ended, and schedules the next pass. */
  private runPass(): Promise<void> {
    this.currentPass = this.currentPass.then(async () => {
      if (this.stopped) return;
      clearTimeout(this.timer);
      const pause = await this.runDueTicks().catch((error: unknown) => this.handleError(error));
      if (this.stopped) return;
      clearTimeout(this.timer);
      this.timer = setTimeout(() => void this.runPass(), pause).unref();
    });
    return this.currentPass;
  }

  /** Runs all due ticks. @returns the milliseconds until the next pass */
  private async runDueTicks(): Promise<number> {
    this.detectClockStep();
    for (;;) {
      if (this.engine.now() - this.readAt >= READ_INTERVAL) await this.read();
      const now = this.engine.now();
      const due = this.schedules.flatMap((schedule) =>
        schedule.due(now, this.watchingSince).map((tick) => ({ schedule, tick })),
      );
      if (due.length === 0) return this.timeToNextPass();
      if (!(await this.runUnhandled(due))) return RETRY_DELAY;
    }
  }

  /**
   * Runs the ticks that no process has handled yet.
   *
   * @returns false when a tick could not be run; another attempt may succeed
   */
  private async runUnhandled(due: readonly DueTick[]): Promise<boolean> {
    const { watchingSince } = this;
    const unhandled = await this.callEngine(() => this.book.findUnhandled(due));
    if (unhandled === undefined || watchingSince !== this.watchingSince) {
      // A schedule has changed, or some of these ticks now count as missed: the due ticks have to be computed again.
      this.readAt = -Infinity;
      return true;
    }
    return unhandled.length === 0 || this.callEngine(() => this.runner.run(unhandled));
  }

  /** Reads the schedules, after they were brought in line with the code, and deletes outdated keys. */
  private async read(): Promise<void> {
    let snapshot = await this.callEngine(() => this.book.read());
    if (await this.reconciler.run(snapshot)) snapshot = await this.callEngine(() => this.book.read());
    this.schedules = [...snapshot.schedules.values()];
    this.reportBroken();
    this.readAt = this.engine.now();
    await this.book.deleteKeys(snapshot.outdated);
    await this.recordEnds();
  }

  /** Logs each schedule that cannot be read, once for each reason. */
  private reportBroken(): void {
    for (const { id, broken } of this.schedules) {
      if (!broken || this.reportedReasons.get(id) === broken.reason) continue;
      this.reportedReasons.set(id, broken.reason);
      this.logger.error(
        `Schedule "${id}" is not run, because it cannot be read: ${broken.reason} Set it again with schedules.upsert(), or remove it with schedules.remove().`,
      );
    }
    const isBroken = new Set(this.schedules.flatMap(({ id, broken }) => (broken ? [id] : [])));
    for (const id of this.reportedReasons.keys()) if (!isBroken.has(id)) this.reportedReasons.delete(id);
  }

  /** Stores how the last run of each schedule ended, because the schedule outlives the record of the task. */
  private async recordEnds(): Promise<void> {
    const unknown = this.schedules.flatMap(({ id, lastTask, end }) =>
      lastTask === undefined || end?.task === lastTask ? [] : [{ id, task: lastTask }],
    );
    // A record that cannot be read must not keep the schedules from running.
    const answers = await inBatches(unknown, FINDS_AT_ONCE, ({ task }) =>
      this.engine.find(task).catch((error: unknown) => {
        if (error instanceof EngineUnavailableError) throw error;
        return undefined;
      }),
    );
    const ends = answers.flatMap((record, index) => {
      const { id } = unknown[index] as { id: string };
      if (!record || !isFinal(record.state)) return [];
      const { id: task, state, finishedAt, error } = record;
      return [{ id, end: { task, state, finishedAt, error: error && publicPart(error) } }];
    });
    if (ends.length > 0) await this.book.recordEnds(ends);
  }

  /** Calls the engine. After an outage, the clock watches the ticks only since the first answer. */
  private async callEngine<T>(call: () => Promise<T>): Promise<T> {
    const begun = performance.now();
    try {
      const answer = await call();
      const now = this.engine.now();
      if (this.unreachable || performance.now() - begun > SLOW_ANSWER) this.watchingSince = now;
      this.unreachable = false;
      return answer;
    } catch (error) {
      if (error instanceof EngineUnavailableError) this.unreachable = true;
      throw error;
    }
  }

  /** Detects that the process was frozen, or that the engine's clock was changed. */
  private detectClockStep(): void {
    const passAt = { now: this.engine.now(), monotonic: performance.now() };
    const { lastPassAt = passAt } = this;
    const passed = passAt.monotonic - lastPassAt.monotonic;
    const step = passAt.now - lastPassAt.now - passed;
    this.lastPassAt = passAt;
    if (passed <= FROZEN_AFTER && Math.abs(step) <= CLOCK_STEP) return;
    this.readAt = -Infinity;
    // Clock put back: handled ticks stay handled, and the other ticks come once more. Clock put forward, or process
    // frozen: the ticks in between are missed.
    if (step < -CLOCK_STEP) this.watchingSince = Math.min(this.watchingSince, passAt.now);
    else this.watchingSince = passed > FROZEN_AFTER ? passAt.now : passAt.now - passed;
  }

  private timeToNextPass(): number {
    const now = this.engine.now();
    const next = this.schedules.map((schedule) => schedule.upcoming(now, 1)[0] ?? Infinity);
    return Math.max(Math.min(...next, this.readAt + READ_INTERVAL, now + LONGEST_PAUSE) - now, 0);
  }

  /** @returns the milliseconds until the next pass */
  private handleError(error: unknown): number {
    // What was read before may be outdated.
    this.readAt = -Infinity;
    // The engine itself logs that it cannot be reached.
    if (!(error instanceof EngineUnavailableError) && !this.stopped) {
      this.logger.error(`The schedules could not be run: ${(error as Error).message}`, (error as Error).stack);
    }
    return RETRY_DELAY;
  }
}
