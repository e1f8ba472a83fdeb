import { createHmac } from 'node:crypto';
import { Logger } from '@nestjs/common';
import type { Engine } from '../engine/engine.js';
import type { TaskCall } from '../engine/task.js';
import { EngineUnavailableError } from '../errors.js';
import type { DueTick, ScheduleBook } from './schedule-book.js';
import type { Schedule } from './schedule.js';
import { callOf } from './scheduled-call.js';

/** Ids have 128 bits; 22 characters of base64url hold them. */
const ID_CHARACTERS = 22;

/**
 * Makes of a tick one task, whoever else does the same at the same moment: the task's id follows from schedule and tick,
 * and an engine stores an id once. A secret of the store goes into it, for ids must not be guessed.
 */
export class TickRunner {
  private readonly logger = new Logger('TaskQueue');
  private secret: string | undefined;

  constructor(
    private readonly engine: Engine,
    private readonly book: ScheduleBook,
  ) {}

  /**
   * Enqueues the tasks of these ticks and notes it.
   *
   * @returns whether all went well; what did not is still open
   * @throws EngineUnavailableError
   */
  async run(ticks: readonly DueTick[]): Promise<boolean> {
    this.secret ??= await this.engine.schedules.secret();
    const calls = ticks.map(({ schedule, tick }) => this.call(schedule, tick, this.secret as string));
    const attempts = await Promise.allSettled(calls.map((call) => this.engine.enqueue([call])));
    const noted: Parameters<ScheduleBook['note']>[0][number][] = [];
    const counts = new Map<Schedule, number>();
    const at = Date.now();
    for (const [index, attempt] of attempts.entries()) {
      const { schedule, tick } = ticks[index] as DueTick;
      if (attempt.status === 'rejected') {
        this.failed(schedule, attempt.reason);
        continue;
      }
      const task = (attempt.value[0] as { id: string }).id;
      if (task === calls[index]?.id) {
        const count = (counts.get(schedule) ?? schedule.runs) + 1;
        counts.set(schedule, count);
        noted.push({ schedule, run: { tick, task, at, count } });
      } else {
        noted.push({ schedule, skip: { tick, because: task, at } });
        // Once for a task that takes long, not at every tick it takes.
        if (schedule.skip?.because === task) continue;
        this.logger.warn(
          `Schedule "${schedule.id}" leaves out its run of ${new Date(tick).toISOString()}: task ${task} has not ended.`,
        );
      }
    }
    await this.book.note(noted);
    const outage = attempts.find(
      ({ status, reason }: { status: string; reason?: unknown }) =>
        status === 'rejected' && reason instanceof EngineUnavailableError,
    );
    if (outage) throw (outage as PromiseRejectedResult).reason;
    return noted.length === ticks.length;
  }

  private call(schedule: Schedule, tick: number, secret: string): TaskCall {
    const { id, template } = schedule.stored;
    const digest = createHmac('sha256', secret)
      .update(JSON.stringify([id, tick]))
      .digest('base64url');
    return callOf(schedule.stored, `${template.queue}.${digest.slice(0, ID_CHARACTERS)}`, tick);
  }

  private failed(schedule: Schedule, error: unknown): void {
    if (error instanceof EngineUnavailableError) return;
    this.logger.error(`Schedule "${schedule.id}" could not be run and tries again: ${(error as Error).message}`);
  }
}
