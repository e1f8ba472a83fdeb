import { inBatches } from '../concurrency.js';
import type { Engine } from '../engine/engine.js';
import { isFinal } from '../engine/task.js';
import { EngineUnavailableError } from '../errors.js';
import type { ScheduleBook } from './schedule-book.js';
import { publicPart } from './schedule-status.js';
import type { Schedule } from './schedule.js';

/** The most tasks that are looked up at the same time. */
const AT_ONCE = 100;

/** Stores how the last run of each schedule ended, because the schedule outlives the record of the task. */
export class RunEnds {
  constructor(
    private readonly engine: Engine,
    private readonly book: ScheduleBook,
  ) {}

  /** @throws EngineUnavailableError */
  async record(schedules: Iterable<Schedule>): Promise<void> {
    const unknown = Array.from(schedules).filter(({ lastTask, isEndKnown }) => lastTask !== undefined && !isEndKnown);
    const answers = await inBatches(unknown, AT_ONCE, ({ lastTask }) => this.find(lastTask as string));
    const ends = answers.flatMap((record, index) => {
      const schedule = unknown[index] as Schedule;
      if (!record) schedule.endIsLost();
      if (!record || !isFinal(record.state)) return [];
      const { id: task, state, finishedAt, error } = record;
      return [{ id: schedule.id, end: { task, state, finishedAt, error: error && publicPart(error) } }];
    });
    if (ends.length > 0) await this.book.recordEnds(ends);
  }

  /** A record that cannot be read must not keep the schedules from running. */
  private find(task: string): ReturnType<Engine['find']> {
    return this.engine.find(task).catch((error: unknown) => {
      if (error instanceof EngineUnavailableError) throw error;
      return undefined;
    });
  }
}
