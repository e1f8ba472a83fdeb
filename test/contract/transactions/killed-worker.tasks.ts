import { Injectable } from '@nestjs/common';
import pg from 'pg';
import { Task, TaskContext, type TaskQueueOptions } from 'nestjs-task-queue';

export const PAYMENT_OPTIONS = { abandonedAfter: '1s' } satisfies TaskQueueOptions;

/** The points of a run at which a worker may die, in their order. */
export const POINTS = [
  'before BEGIN',
  'after BEGIN',
  'after the effect',
  'after completeIn',
  'after COMMIT',
  'after the end',
] as const;

@Injectable()
export class Payments {
  constructor(private readonly task: TaskContext) {}

  /** @param point where the first run kills its process */
  @Task()
  async pay(url: string, prefix: string, point: string): Promise<string> {
    const dieAt = (here: (typeof POINTS)[number]) => {
      if (here === point && process.argv[3] === prefix) process.kill(process.pid, 'SIGKILL');
    };
    dieAt('before BEGIN');
    const client = new pg.Client(url);
    await client.connect();
    await client.query('BEGIN');
    dieAt('after BEGIN');
    await client.query('INSERT INTO effects VALUES ($1)', [prefix]);
    dieAt('after the effect');
    await this.task.completeIn(client, 'completed');
    dieAt('after completeIn');
    await client.query('COMMIT');
    dieAt('after COMMIT');
    await client.end();
    // Dies once the end is perhaps stored.
    if (point === 'after the end') setTimeout(() => dieAt('after the end'), 20);
    return 'returned';
  }

  @Task()
  async after(result: string): Promise<string> {
    return `after ${result}`;
  }
}
