import { expect } from '@jest/globals';
import { chord, group, Task, TaskAdmin, TaskContext, TaskProcessor, TaskQueue, TaskSchedules } from 'nestjs-task-queue';
import type { Booted } from '../../support/boot.js';
import { until } from '../../support/until.js';

/** The tasks of an application whose processes have no more rights than they need, in a queue of this name. */
export function workIn(queue: string) {
  @TaskProcessor({ queue })
  class Work {
    constructor(private readonly task: TaskContext) {}

    @Task(`${queue}.echo`)
    async echo(value: number): Promise<number> {
      await this.task.log(`echoes ${value}`);
      await this.task.progress(value, 10);
      return value;
    }

    @Task(`${queue}.sum`)
    async sum(values: number[]): Promise<number> {
      return values.reduce((all, one) => all + one, 0);
    }

    @Task({ name: `${queue}.endless`, unique: { while: 'running' } })
    async endless(): Promise<void> {
      await new Promise((_, reject) =>
        this.task.signal.addEventListener('abort', () => reject(this.task.signal.reason as Error)),
      );
    }
  }
  return Work;
}

/**
 * What the web and the worker of an application do, each with rights of its own. The rights are those of docs/running.md. Tasks run in
 * `queue`, and others wait in a queue named after it.
 */
export async function usesEverything(
  web: Booted,
  worker: Booted,
  Work: ReturnType<typeof workIn>,
  queue: string,
): Promise<void> {
  const work = web.queue.of(Work);
  expect(await (await work.echo.enqueue(1)).result({ timeout: '15s' })).toBe(1);
  const many = await work.echo.enqueueMany(Array.from({ length: 20 }, (_, index) => [index] as const));
  expect(await Promise.all(many.map((handle) => handle.result({ timeout: '15s' })))).toHaveLength(20);
  const sum = await chord(group([1, 2, 3].map((value) => work.echo.signature(value))), work.sum.signature()).enqueue();
  expect(await sum.result({ timeout: '15s' })).toBe(6);
  const endless = await work.endless.enqueue();
  await until(async () => (await endless.status()).state === 'running');
  await endless.cancel();
  await expect(endless.result({ timeout: '15s' })).rejects.toMatchObject({ code: 'TASK_CANCELLED' });
  const later = await work.echo.with({ delay: '1h', queue: `${queue}-later` }).enqueueMany([[1], [2]]);
  expect(later).toHaveLength(2);
  await later[0]?.cancel();
  const schedules = web.app.get(TaskSchedules);
  await schedules.upsert(`hourly-${queue}`, { task: work.echo, args: [7], every: '1h' });
  expect(await (await schedules.runNow(`hourly-${queue}`)).result({ timeout: '15s' })).toBe(7);
  await schedules.remove(`hourly-${queue}`);
  const admin = web.app.get(TaskAdmin);
  await admin.pause(queue);
  await admin.resume(queue);
  expect((await admin.queues()).map(({ name }) => name)).toContain(queue);
  await (await work.echo.enqueue(2)).result({ timeout: '15s' });
  await (await admin.forgetAll({ queue, state: 'succeeded' })).result({ timeout: '15s' });
  expect(worker.app.get(TaskQueue)).toBeDefined();
}
