import { afterAll, afterEach, beforeAll, expect, it, jest } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import type { Queue } from 'bullmq';
import { Task, TaskAdmin, TaskContext, type Tasks } from 'nestjs-task-queue';
import type { Driver, LineOfJob } from '../../../lib/engine/bullmq/driver.js';
import type { Engine } from '../../../lib/engine/engine.js';
import { ENGINE } from '../../../lib/task-queue-tokens.js';
import { boot, type Booted } from '../../support/boot.js';
import { describeEachDatabase } from '../../support/engines.js';

@Injectable()
class Work {
  constructor(private readonly task: TaskContext) {}

  @Task()
  write(count: number): void {
    for (let line = 1; line <= count; line++) void this.task.log(`line ${line}`, 'warn');
  }
}

describeEachDatabase('logs of tasks', (engine) => {
  let booted: Booted;
  let work: Tasks<Work>;
  let native: Queue;
  let driver: Driver;
  let admin: TaskAdmin;

  beforeAll(async () => {
    booted = await boot(await engine.place(), [Work]);
    work = booted.queue.of(Work);
    admin = booted.app.get(TaskAdmin);
    const bullmq = booted.app.get<{ driver: Driver } & Engine>(ENGINE);
    native = bullmq.native('default') as Queue;
    driver = bullmq.driver;
  });
  afterAll(() => booted.app.close());
  afterEach(() => void jest.restoreAllMocks());

  const run = async (count: number): Promise<string> => {
    const handle = await work.write.enqueue(count);
    await handle.result();
    return handle.id;
  };

  it('are readable text for other tools of BullMQ, and have the lines that these add', async () => {
    const id = await run(1);
    await native.addJobLog(id, 'a line of another tool');
    const { logs } = await native.getJobLogs(id);
    expect(logs).toEqual([expect.stringMatching(/^\d{4}-.*Z WARN line 1$/), 'a line of another tool']);
    expect(await admin.logs(id)).toEqual([
      { index: 1, at: expect.any(String), level: 'warn', text: 'line 1' },
      { index: 2, at: null, level: 'log', text: 'a line of another tool' },
    ]);
  });

  it('get all lines of a moment in one call', async () => {
    const calls = jest.spyOn(driver.logs, 'add');
    const id = await run(500);
    expect(calls).toHaveBeenCalledTimes(1);
    expect(await admin.logs(id)).toHaveLength(500);
  });

  it('keep each line when several processes write to one task, and drop the lines of a task that is gone', async () => {
    const id = await run(0);
    const lines = (writer: number): LineOfJob[] =>
      ['default.gone', id, id].map((job, line) => ({ queue: 'default', id: job, line: `${writer}.${line}` }));
    await Promise.all([1, 2, 3, 4].map((writer) => driver.logs.add(lines(writer), 100)));
    const written = await admin.logs(id);
    expect(written.map(({ text }) => text).toSorted()).toEqual(
      [1, 2, 3, 4].flatMap((writer) => [`${writer}.1`, `${writer}.2`]),
    );
    expect(written.map(({ index }) => index)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(await driver.logs.read({ queue: 'default', id: 'default.gone' }, 0, 10)).toMatchObject({ kept: 0 });
  });
});
