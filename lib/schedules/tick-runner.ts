import type { Engine } from '../engine/engine.js';
import { isFinal, type TaskCall } from '../engine/task.js';
import type { InstrumentedEnqueue } from '../engine/instrumented-enqueue.js';
import { EngineUnavailableError, QueueFullError } from '../errors.js';
import type { DueTick, HandledTick, ScheduleBook } from './schedule-book.js';
import type { Schedule } from './schedule.js';
import { callOf, idOfTick } from './scheduled-call.js';
import { PackageLogger } from '../package-logger.js';

/** What became of ticks. */
export interface TicksRun {
  /** False when a task could not be enqueued: its tick stays unhandled. */
  readonly isComplete: boolean;
  /** The error of an engine that could not be reached; `undefined` when it answered. */
  readonly outage: EngineUnavailableError | undefined;
}

/** Milliseconds after which the same failure is logged again. */
const REPEAT_AFTER = 60_000;

/**
 * Enqueues one task for each tick, also when several processes do so at the same time: the task's id is derived from
 * the schedule and the tick, and an engine stores an id once.
 */
export class TickRunner {
  private readonly logger = new PackageLogger();
  private secret: string | undefined;
  /** The time at which each failure was logged last. */
  private readonly loggedAt = new Map<string, number>();

  constructor(
    private readonly engine: Pick<Engine, 'find' | 'schedules' | 'now'>,
    private readonly book: ScheduleBook,
    private readonly calls: Pick<InstrumentedEnqueue, 'enqueue'>,
  ) {}

  /**
   * Enqueues the tasks of these ticks and records the ticks as handled.
   *
   * @throws EngineUnavailableError when the store of the schedules cannot be reached
   */
  async run(ticks: readonly DueTick[]): Promise<TicksRun> {
    // Read each time: when the data was lost, all processes have to agree on one secret again.
    this.secret = await this.engine.schedules.secret(this.secret);
    const earlier = await Promise.all(ticks.map(({ schedule }) => this.runBeforeChange(schedule)));
    const calls = ticks.map(({ schedule, tick }) => this.call(schedule, tick, this.secret as string));
    const attempts = await Promise.allSettled(
      calls.map(async (call, index) => (earlier[index] ? [] : this.calls.enqueue([call], 'schedule'))),
    );
    const handled: HandledTick[] = [];
    const counts = new Map<Schedule, number>();
    const at = this.engine.now();
    for (const [index, attempt] of attempts.entries()) {
      const { schedule, tick } = ticks[index] as DueTick;
      const running = earlier[index];
      if (running !== undefined) {
        handled.push({ schedule, skip: { tick, because: running, at } });
        this.logSkip(schedule, tick, running, `task ${running} has not ended.`);
        continue;
      }
      if (attempt.status === 'rejected') {
        if (attempt.reason instanceof QueueFullError) {
          handled.push({ schedule, skip: { tick, because: attempt.reason.code, at } });
          this.logSkip(schedule, tick, attempt.reason.code, attempt.reason.message);
          continue;
        }
        this.logFailure(schedule, attempt.reason);
        continue;
      }
      const task = (attempt.value[0] as { id: string }).id;
      if (task === calls[index]?.id) {
        const count = (counts.get(schedule) ?? schedule.runs) + 1;
        counts.set(schedule, count);
        handled.push({ schedule, run: { tick, task, at, count } });
      } else {
        handled.push({ schedule, skip: { tick, because: task, at } });
        this.logSkip(schedule, tick, task, `task ${task} has not ended.`);
      }
    }
    await this.book.recordTicks(handled);
    const outage = attempts
      .map((attempt) => (attempt.status === 'rejected' ? (attempt.reason as unknown) : undefined))
      .find((reason) => reason instanceof EngineUnavailableError);
    return { isComplete: handled.length === ticks.length, outage };
  }

  /**
   * The run that keeps a schedule with `overlap: 'skip'` from another one, although the engine does not know that: the schedule had another
   * id or queue when the run was enqueued.
   */
  private async runBeforeChange({ stored, run }: Schedule): Promise<string | undefined> {
    if (stored.overlap !== 'skip' || !run || run.task === idOfTick(stored, run.tick, this.secret as string))
      return undefined;
    // A shard that cannot be reached must not hold up the others. Without an answer, the run counts as ended.
    const record = await this.engine.find(run.task).catch(() => undefined);
    return record && !isFinal(record.state) ? run.task : undefined;
  }

  private call(schedule: Schedule, tick: number, secret: string): TaskCall {
    return callOf(schedule.stored, idOfTick(schedule.stored, tick, secret), tick, this.engine.now());
  }

  /** A task that takes long, or a queue that stays full, is logged once, and not at each tick. */
  private logSkip(schedule: Schedule, tick: number, because: string, reason: string): void {
    if (schedule.skip?.because === because) return;
    this.logger.warn(`Schedule "${schedule.id}" leaves out its run of ${new Date(tick).toISOString()}: ${reason}`);
  }

  /** Logs a failure at most once in {@link REPEAT_AFTER}: the tick is tried again every second. */
  private logFailure(schedule: Schedule, error: unknown): void {
    if (error instanceof EngineUnavailableError) return;
    const line = `Schedule "${schedule.id}" could not be run and will be tried again: ${(error as Error).message}`;
    const now = performance.now();
    for (const [known, at] of this.loggedAt) if (at + REPEAT_AFTER <= now) this.loggedAt.delete(known);
    if (this.loggedAt.has(line)) return;
    this.loggedAt.set(line, now);
    this.logger.error(line);
  }
}
