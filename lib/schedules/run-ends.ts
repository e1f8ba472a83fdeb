import { inBatches } from '../concurrency.js';
import type { Engine } from '../engine/engine.js';
import type { Topology } from '../engine/shards/topology.js';
import { isFinal, type TaskRecord } from '../engine/task.js';
import { EngineUnavailableError } from '../errors.js';
import type { ScheduleBook } from './schedule-book.js';
import { publicPart } from './schedule-status.js';
import type { Schedule } from './schedule.js';

/** The most tasks that are looked up at the same time. */
const AT_ONCE = 100;

/** Stores how the last run of each schedule ended, because the schedule outlives the record of the task. */
export class RunEnds {
  private recording: Promise<void> | undefined;

  constructor(
    private readonly engine: Engine,
    private readonly book: ScheduleBook,
    private readonly topology: Topology,
  ) {}

  /**
   * With shards it does not wait for the answers: no schedule waits because a run of another one is in a shard that cannot be reached.
   *
   * @throws EngineUnavailableError
   */
  async record(schedules: Iterable<Schedule>): Promise<void> {
    if (this.topology.shards.length === 1) return this.recordAll(schedules);
    this.recording ??= this.recordAll(schedules)
      .catch(() => undefined)
      .finally(() => (this.recording = undefined));
  }

  private async recordAll(schedules: Iterable<Schedule>): Promise<void> {
    const unknown = Array.from(schedules).filter(({ lastTask, isEndKnown }) => lastTask !== undefined && !isEndKnown);
    const answers = await inBatches(unknown, AT_ONCE, ({ lastTask }) => this.find(lastTask as string));
    const ends = answers.flatMap((record, index) => {
      const schedule = unknown[index] as Schedule;
      if (record === 'unreachable') return [];
      if (!record) schedule.endIsLost();
      if (!record || !isFinal(record.state)) return [];
      const { id: task, state, finishedAt, error } = record;
      return [{ id: schedule.id, end: { task, state, finishedAt, error: error && publicPart(error) } }];
    });
    if (ends.length > 0) await this.book.recordEnds(ends);
  }

  /** A record that cannot be read must not keep the schedules from running. */
  private find(task: string): Promise<TaskRecord | undefined | 'unreachable'> {
    return this.engine.find(task).catch((error: unknown) => {
      if (!(error instanceof EngineUnavailableError)) return undefined;
      if (this.topology.shards.length > 1) return 'unreachable' as const;
      throw error;
    });
  }
}
