import type { OnApplicationBootstrap, OnModuleDestroy } from '@nestjs/common';
import { type Engine } from '../engine/engine.js';
import { ONE_SHARD, type Topology } from '../engine/shards/topology.js';
import { EngineUnavailableError } from '../errors.js';
import { BrokenScheduleLog } from './broken-schedule-log.js';
import { DueIndex } from './due-index.js';
import type { DueTick, ScheduleBook } from './schedule-book.js';
import { RunEnds } from './run-ends.js';
import type { Schedule } from './schedule.js';
import type { ScheduleReconciler } from './schedule-reconciler.js';
import { parseKey } from './stored-schedule.js';
import { TickLanes } from './tick-lanes.js';
import type { TickRunner, TicksRun } from './tick-runner.js';
import { PackageLogger } from '../package-logger.js';

/** Milliseconds after which all schedules are read again, in case the announcement of a change was lost. */
const READ_INTERVAL = 10_000;
/** The same as a multiple of the time that the last reading took, so that thousands of schedules take little time. */
const READ_SHARE = 100;
/** The number of announced schedules from which reading all of them is simpler. */
const MANY_CHANGES = 5_000;
/** The most ticks that are handled with the same calls. */
const TICKS_AT_ONCE = 500;
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
  private readonly logger = new PackageLogger();
  private readonly index = new DueIndex();
  private readonly brokenLog = new BrokenScheduleLog();
  private readonly runEnds: RunEnds;
  private readonly lanes: TickLanes;
  /** The ids of announced schedules that are not read yet. */
  private readonly changed = new Set<string>();
  private watchingSince = Infinity;
  private unreachable = true;
  private lastPassAt: { readonly now: number; readonly monotonic: number } | undefined;
  /** When all schedules are read again. */
  private readAllAt = -Infinity;
  private currentPass: Promise<void> = Promise.resolve();
  /** The pass that begins when the current one has ended. */
  private nextPass: Promise<void> | undefined;
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
    topology: Topology = ONE_SHARD,
  ) {
    this.runEnds = new RunEnds(engine, book, topology);
    this.lanes = new TickLanes({
      engine,
      topology,
      run: (ticks) => this.runInLane(ticks),
      onEnd: () => void (this.stopped || this.runPass()),
      onError: (error) => void this.handleError(error),
    });
  }

  async onApplicationBootstrap(): Promise<void> {
    if (!this.enabled) return;
    const following = this.engine.schedules.follow((keys) => this.onChange(keys));
    this.unfollow = following.stop;
    await following.started;
  }

  /**
   * The time since which this process watches the ticks of schedules; earlier ones count as missed. `undefined` when it does not run
   * schedules, or could not read them yet.
   */
  get since(): number | undefined {
    return this.watchingSince === Infinity || this.stopped ? undefined : this.watchingSince;
  }

  /**
   * What this process knows of all schedules, and the ticks that no process has handled, as far as it knows. `undefined` when
   * {@link since} is.
   */
  watched(): { readonly schedules: Iterable<Schedule>; readonly due: readonly DueTick[] } | undefined {
    const { since } = this;
    if (since === undefined) return undefined;
    return { schedules: this.index.schedules.values(), due: this.index.due(this.engine.now(), this.sinceOf) };
  }

  /** Takes in the schedules of a module that was loaded after the start. */
  async reload(): Promise<void> {
    if (!this.unfollow || this.stopped) return;
    this.reconciler.grow();
    await this.onChange(undefined);
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

  /**
   * Reads the announced schedules again and runs what is due. Resolves when that is done, or has failed for now.
   *
   * @param keys `undefined` when any schedule may have changed
   */
  private async onChange(keys: readonly string[] | undefined): Promise<void> {
    if (keys === undefined) this.readAllAt = -Infinity;
    else {
      const before = this.changed.size;
      for (const key of keys) {
        const parsed = parseKey(key);
        if (parsed && parsed.kind !== 'version') this.changed.add(parsed.id);
      }
      if (this.changed.size === before) return;
    }
    return this.runPass();
  }

  /** Runs a pass after the current one has ended, and schedules the next pass. All callers until then share it. */
  private runPass(): Promise<void> {
    this.nextPass ??= this.currentPass = this.currentPass.then(async () => {
      this.nextPass = undefined;
      if (this.stopped) return;
      clearTimeout(this.timer);
      const pause = await this.runDueTicks().catch((error: unknown) => this.handleError(error));
      if (this.stopped) return;
      clearTimeout(this.timer);
      this.timer = setTimeout(() => void this.runPass(), pause).unref();
    });
    return this.nextPass;
  }

  /** Runs all due ticks. @returns the milliseconds until the next pass */
  private async runDueTicks(): Promise<number> {
    for (;;) {
      if (performance.now() >= this.readAllAt || this.changed.size > MANY_CHANGES) await this.readAll();
      else if (this.changed.size > 0) await this.readChanged();
      // At each turn, right before the time is used: after a step of a day, every tick of that day would seem to be due.
      const now = this.detectClockStep();
      if (this.readAllAt === -Infinity) continue;
      const due = this.index.due(now, this.sinceOf, this.isHeld);
      if (due.length === 0) return this.timeToNextPass();
      if (this.lanes.areUsed) this.lanes.start(due);
      else if (!(await this.runAllUnhandled(due))) return RETRY_DELAY;
    }
  }

  private readonly sinceOf = (schedule: Schedule): number => Math.max(this.watchingSince, this.lanes.since(schedule));

  private readonly isHeld = (schedule: Schedule): boolean => this.lanes.isHeld(schedule);

  /** Runs the ticks of one shard. Its outage does not concern the schedules of the others. */
  private async runInLane(due: readonly DueTick[]): Promise<TicksRun> {
    let isComplete = true;
    for (let start = 0; start < due.length && !this.stopped; start += TICKS_AT_ONCE) {
      const unhandled = await this.findUnhandled(due.slice(start, start + TICKS_AT_ONCE));
      if (unhandled.length === 0) continue;
      const run = await this.runner.run(unhandled);
      if (run.outage !== undefined) return run;
      isComplete &&= run.isComplete;
    }
    return { isComplete, outage: undefined };
  }

  /** @returns false when a tick could not be run; another attempt may succeed */
  private async runAllUnhandled(due: readonly DueTick[]): Promise<boolean> {
    let complete = true;
    for (let start = 0; start < due.length; start += TICKS_AT_ONCE) {
      complete = (await this.runUnhandled(due.slice(start, start + TICKS_AT_ONCE))) && complete;
    }
    return complete;
  }

  /**
   * Runs the ticks that no process has handled yet.
   *
   * @returns false when a tick could not be run; another attempt may succeed
   */
  private async runUnhandled(due: readonly DueTick[]): Promise<boolean> {
    const unhandled = await this.findUnhandled(due);
    if (unhandled.length === 0) return true;
    return this.callEngine(async () => {
      const { isComplete, outage } = await this.runner.run(unhandled);
      if (outage) throw outage;
      return isComplete;
    });
  }

  /** The ticks that no process has handled yet. None when some may count as missed by now: they have to be computed again. */
  private async findUnhandled(due: readonly DueTick[]): Promise<readonly DueTick[]> {
    const { watchingSince } = this;
    const { unhandled, changed } = await this.callEngine(() => this.book.findUnhandled(due));
    if (watchingSince !== this.watchingSince) return [];
    for (const { id } of changed) this.changed.add(id);
    return unhandled;
  }

  /** Reads all schedules, after they were brought in line with the code, and deletes outdated keys. */
  private async readAll(): Promise<void> {
    const begun = performance.now();
    const known = this.index.schedules;
    this.changed.clear();
    const snapshot = await this.book.read(known, (call) => this.callEngine(call));
    const took = performance.now() - begun;
    const reconciled = await this.reconciler.run(snapshot, known);
    this.index.replace(snapshot.schedules);
    this.index.update(reconciled, await this.callEngine(() => this.book.getMany(reconciled, known)));
    this.readAllAt = performance.now() + Math.max(READ_INTERVAL, READ_SHARE * took);
    this.brokenLog.report(this.index.schedules.values());
    await this.book.deleteKeys(snapshot.outdated);
    await this.book.recordLast(snapshot.behind);
    await this.runEnds.record(this.index.schedules.values());
  }

  private async readChanged(): Promise<void> {
    const ids = [...this.changed];
    const known = this.index.schedules;
    const found = await this.callEngine(() => this.book.getMany(ids, known));
    for (const id of ids) this.changed.delete(id);
    // The code may declare such a schedule: then the reconciler puts it again, as this process remembers it.
    const isDamaged = (id: string) => {
      const [before, after] = [known.get(id), found.get(id)];
      return after ? after.broken !== undefined : before?.stored.source === 'decorator';
    };
    if (ids.some(isDamaged)) return this.readAll();
    this.index.update(ids, found);
    this.brokenLog.report(found.values());
  }

  /** Calls the engine. After an outage, the clock watches the ticks only since the first answer. */
  private async callEngine<T>(call: () => Promise<T>): Promise<T> {
    const begun = performance.now();
    try {
      const answer = await call();
      if (this.unreachable || performance.now() - begun > SLOW_ANSWER) this.watchFrom(this.engine.now());
      this.unreachable = false;
      return answer;
    } catch (error) {
      if (error instanceof EngineUnavailableError) this.unreachable = true;
      throw error;
    }
  }

  /** Detects that the process was frozen, or that the engine's clock was changed. @returns the time of that clock */
  private detectClockStep(): number {
    const passAt = { now: this.engine.now(), monotonic: performance.now() };
    const { lastPassAt = passAt } = this;
    const passed = passAt.monotonic - lastPassAt.monotonic;
    const step = passAt.now - lastPassAt.now - passed;
    this.lastPassAt = passAt;
    if (passed <= FROZEN_AFTER && Math.abs(step) <= CLOCK_STEP) return passAt.now;
    this.readAllAt = -Infinity;
    // Clock put back: handled ticks stay handled, and the other ticks come once more. Clock put forward, or process
    // frozen: the ticks in between are missed.
    if (step < -CLOCK_STEP) this.watchFrom(Math.min(this.watchingSince, passAt.now));
    else this.watchFrom(passed > FROZEN_AFTER ? passAt.now : passAt.now - passed);
    return passAt.now;
  }

  private watchFrom(time: number): void {
    this.watchingSince = time;
    this.index.reset();
  }

  private timeToNextPass(): number {
    return Math.max(
      Math.min(this.index.next(this.isHeld) - this.engine.now(), this.readAllAt - performance.now(), LONGEST_PAUSE),
      0,
    );
  }

  /** @returns the milliseconds until the next pass */
  private handleError(error: unknown): number {
    // What was read before may be outdated.
    this.readAllAt = -Infinity;
    // The engine itself logs that it cannot be reached.
    if (!(error instanceof EngineUnavailableError) && !this.stopped) {
      this.logger.error(`The schedules could not be run: ${(error as Error).message}`, (error as Error).stack);
    }
    return RETRY_DELAY;
  }
}
