import { Schedule, Task, TaskContext, TaskProcessor } from 'nestjs-task-queue';
import { z } from 'zod';
import { Database } from '../database/database.js';

/** The tables that can be counted. */
export const COUNTED = ['post', 'review', 'subscriber'] as const;
export type Counted = (typeof COUNTED)[number];

@TaskProcessor({ queue: 'counters', timeout: '1m' })
export class CounterTasks {
  constructor(
    private readonly task: TaskContext,
    private readonly database: Database,
  ) {}

  /** Counts the rows of a table, and keeps the number. The decorator declares one counter; administrators add others in the page. */
  @Schedule({ every: '1m' }, { id: 'posts', args: ['post'], overlap: 'skip' })
  @Task({ schema: z.tuple([z.enum(COUNTED)]) })
  async count(table: Counted): Promise<number> {
    const { rows } = await this.database
      .selectFrom(table)
      .select(({ fn }) => fn.countAll().as('rows'))
      .executeTakeFirstOrThrow();
    const value = Number(rows);
    const { schedule = '', 'schedule-tick': tick = null } = this.task.headers;
    await this.database
      .insertInto('count')
      .values({ schedule, tick, value, counted_at: new Date().toISOString(), process: process.pid })
      .execute();
    return value;
  }
}
