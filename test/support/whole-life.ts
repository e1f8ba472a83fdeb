import { expect } from '@jest/globals';
import { Injectable, type LoggerService } from '@nestjs/common';
import { chord, Task, TaskContext, TaskSchedules, type TaskQueueOptions } from 'nestjs-task-queue';
import { boot, type Booted } from './boot.js';
import { freePrefix } from './servers.js';
import { until } from './until.js';

/** Tasks of each kind that a life of a task consists of. */
@Injectable()
export class LifeTasks {
  ticks = 0;

  constructor(private readonly task: TaskContext) {}

  @Task()
  async add(a: number, b: number): Promise<number> {
    await this.task.progress(1, 2, 'half');
    return a + b;
  }

  @Task()
  async sum(numbers: number[]): Promise<number> {
    return numbers.reduce((sum, number) => sum + number, 0);
  }

  @Task({ retries: 1, backoff: { type: 'fixed', delay: 10 } })
  async secondTime(): Promise<number> {
    if (this.task.attempt === 1) throw new Error('not yet');
    return this.task.attempt;
  }

  /** Runs until it is cancelled. */
  @Task()
  async wait(): Promise<void> {
    await this.task.progress('waiting');
    await new Promise((_, reject) =>
      this.task.signal.addEventListener('abort', () => reject(this.task.signal.reason as Error)),
    );
  }

  @Task()
  async tick(): Promise<void> {
    this.ticks++;
  }
}

/** Boots an application with {@link LifeTasks} in an empty place. */
export function bootLife(options: TaskQueueOptions, logger: LoggerService | false = false): Promise<Booted> {
  return boot({ prefix: freePrefix(), ...options }, [LifeTasks], logger);
}

/** Enqueues, runs, retries, cancels and schedules tasks, and runs a workflow, in an application that runs tasks. */
export async function liveWholeLife({ app, queue }: Booted): Promise<void> {
  const tasks = queue.of(LifeTasks);
  // Many at once, on all connections of a pool.
  const sums = await tasks.add.enqueueMany(Array.from({ length: 30 }, (_, number) => [number, 1] as const));
  await Promise.all(Array.from({ length: 20 }, () => tasks.add.enqueue(2, 2).then((handle) => handle.result(WITHIN))));
  await expect(Promise.all(sums.map((handle) => handle.result(WITHIN)))).resolves.toEqual(sums.map((_, n) => n + 1));
  await expect(sums[0]?.status()).resolves.toMatchObject({
    state: 'succeeded',
    result: 1,
    attempt: 1,
    progress: { current: 1, total: 2 },
    finishedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
  });

  await expect(tasks.secondTime.enqueue().then((handle) => handle.result(WITHIN))).resolves.toBe(2);
  const later = await tasks.add.with({ delay: 100 }).enqueue(1, 1);
  await expect(later.result(WITHIN)).resolves.toBe(2);
  const whole = chord([tasks.add.signature(1, 2), tasks.add.signature(3, 4)], tasks.sum.signature());
  await expect(whole.enqueue().then((handle) => handle.result(WITHIN))).resolves.toBe(10);

  const running = await tasks.wait.enqueue();
  await until(async () => (await running.status()).state === 'running', 'the task runs');
  await running.cancel('no longer needed');
  await expect(running.result(WITHIN)).rejects.toMatchObject({ code: 'TASK_CANCELLED' });

  const schedules = app.get(TaskSchedules);
  await schedules.upsert('life', { task: tasks.tick, every: 200 });
  await until(() => app.get(LifeTasks).ticks > 0, 'the schedule ticks');
  await schedules.remove('life');
}

const WITHIN = { timeout: '15s' } as const;
