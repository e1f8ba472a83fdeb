import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { getQueueToken } from '@nestjs/bullmq';
import { Injectable } from '@nestjs/common';
import type { Queue } from 'bullmq';
import { Task, type Tasks } from 'nestjs-task-queue';
import type { Driver } from '../../../lib/engine/bullmq/driver.js';
import { sweep, sweepRegularly } from '../../../lib/engine/bullmq/consumer/retention-sweep.js';
import { ENGINE } from '../../../lib/task-queue-tokens.js';
import { boot, type Booted } from '../../support/boot.js';
import { describeEachDatabase } from '../../support/engines.js';
import { until } from '../../support/until.js';

@Injectable()
class Work {
  @Task({ queue: 'quiet' })
  async once(): Promise<void> {}
}

describeEachDatabase('the retention sweep', (engine) => {
  let one: Booted;
  let work: Tasks<Work>;

  beforeAll(async () => {
    one = await boot({ ...(await engine.place()), queues: { quiet: {} } }, [Work]);
    work = one.queue.of(Work);
  });
  afterAll(() => one.app.close());

  it('one sweep removes every task whose retention is over, and no other task', async () => {
    const queue = await quietQueueAfter(5);
    await sweep(driver(), 'quiet', { succeeded: 60_000, failed: 0 }, { atOnce: 2 });
    await expect(queue.getJobCounts('completed')).resolves.toEqual({ completed: 5 });
    await sweep(driver(), 'quiet', { succeeded: 0, failed: 60_000 }, { atOnce: 2 });
    await expect(queue.getJobCounts('completed')).resolves.toEqual({ completed: 0 });
  });

  it('the sweep also removes tasks from a queue that gets no new tasks', async () => {
    const queue = await quietQueueAfter(1);
    const stop = sweepRegularly(driver(), 'quiet', { succeeded: 100, failed: 100 }, { interval: 50 });
    try {
      await until(async () => (await queue.getJobCounts('completed'))['completed'] === 0, 'the task is removed', 5_000);
    } finally {
      stop();
    }
  });

  const driver = () => one.app.get<{ driver: Driver }>(ENGINE).driver;

  async function quietQueueAfter(tasks: number): Promise<Queue> {
    const handles = await work.once.enqueueMany(Array.from({ length: tasks }, () => []));
    await Promise.all(handles.map((handle) => handle.result({ timeout: '10s' })));
    const queue = one.app.get<Queue>(getQueueToken('quiet'));
    await expect(queue.getJobCounts('completed')).resolves.toEqual({ completed: tasks });
    return queue;
  }
});
