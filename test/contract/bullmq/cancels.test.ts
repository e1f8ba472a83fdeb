import { afterAll, afterEach, beforeAll, expect, it, jest } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Task, type Tasks } from 'nestjs-task-queue';
import type { Driver } from '../../../lib/engine/bullmq/driver.js';
import type { CancelOfJob } from '../../../lib/engine/bullmq/stored-jobs.js';
import type { Engine } from '../../../lib/engine/engine.js';
import { ENGINE } from '../../../lib/task-queue-tokens.js';
import { boot, type Booted } from '../../support/boot.js';
import { describeEachDatabase } from '../../support/engines.js';
import { until } from '../../support/until.js';

@Injectable()
class Work {
  static ran = 0;

  @Task()
  async echo(value: unknown): Promise<unknown> {
    Work.ran++;
    return value;
  }
}

const VALUES = [
  [[]],
  [{}],
  ['{"cancelled":{}}'],
  [1e21, -0.1, Number.MAX_SAFE_INTEGER, 'ä\u2028'],
  [[], [[]], { '': null }],
];

describeEachDatabase('cancels', (engine) => {
  let producer: Booted;
  let work: Tasks<Work>;
  let driver: Driver;
  let native: { getJob(id: string): Promise<{ data: unknown } | undefined> };

  beforeAll(async () => {
    producer = await boot({ ...(await engine.place()), role: 'producer' }, [Work]);
    work = producer.queue.of(Work);
    const bullmq = producer.app.get<{ driver: Driver; native(queue: string): typeof native }>(ENGINE);
    driver = bullmq.driver;
    native = bullmq.native('default');
  });
  afterAll(() => producer.app.close());
  afterEach(() => void jest.restoreAllMocks());

  it('leave the other data of a task as they are, and keep the first reason', async () => {
    for (const args of VALUES) {
      const handle = await work.echo.with({ headers: { tenant: 'ö' } }).enqueue(...(args as [unknown]));
      const { data } = (await native.getJob(handle.id))!;
      await Promise.all([handle.cancel('first'), handle.cancel('second')]);
      await handle.cancel('third');
      const { cancelled, ...rest } = (await native.getJob(handle.id))!.data as { cancelled: object };
      expect(rest).toEqual(data);
      expect(cancelled).toEqual({
        at: expect.any(Number),
        reason: expect.stringMatching(/^(first|second)$/),
        starts: 0,
        running: false,
      });
    }
  });

  it('are final although the clock of the process that cancels is ahead, while a worker clears the tasks away', async () => {
    const cancel = driver.jobs.cancel.bind(driver.jobs);
    const ahead = (list: readonly CancelOfJob[]) => list.map((one) => ({ ...one, at: one.at + 60_000 }));
    jest.spyOn(driver.jobs, 'cancel').mockImplementation((queue, list) => cancel(queue, ahead(list)));
    const handles = await work.echo.with({ delay: '1h' }).enqueueMany(Array.from({ length: 60 }, (_, n) => [n]));
    await Promise.all(handles.map((handle) => handle.cancel()));
    // The embedded engine allows one process, so the worker is started in the application that has cancelled.
    const consumer = producer.app
      .get<Engine>(ENGINE)
      .consume('default', { concurrency: 5, keep: { succeeded: 60_000, failed: 60_000 } }, { handle: fail });
    const states = new Set<string>();
    await until(async () => {
      for (const { state } of await Promise.all(handles.map((handle) => handle.status()))) states.add(state);
      const jobs = await driver.jobs.find(handles.map(({ id }) => ({ queue: 'default', id })));
      return jobs.every((job) => job?.json.finishedOn !== undefined);
    });
    await consumer.stop(0);
    expect([...states]).toEqual(['cancelled']);
    expect(Work.ran).toBe(0);
  });

  it('of thousands of tasks at once are few calls to the store', async () => {
    const count = 1_200;
    const list = (from: number) => Array.from({ length: count / 2 }, (_, n) => [from + n] as [number]);
    const handles = [
      ...(await work.echo.enqueueMany(list(0))),
      ...(await work.echo.with({ delay: '1h' }).enqueueMany(list(count / 2))),
    ];
    const cancel = jest.spyOn(driver.jobs, 'cancel');
    const ends = await Promise.all(handles.map((handle) => handle.cancel('not needed')));
    expect(ends.every(({ state }) => state === 'cancelled')).toBe(true);
    expect(cancel.mock.calls.length).toBeLessThanOrEqual(count / driver.lookupLimits.size + 2);
  });
});

async function fail(): Promise<never> {
  Work.ran++;
  throw new Error('A cancelled task ran.');
}
