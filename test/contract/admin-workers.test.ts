import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Injectable, Module, type INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Task, TaskAdmin, TaskQueue, TaskQueueModule, type TaskBatch } from 'nestjs-task-queue';
import { WorkerPresence } from '../../lib/workers/worker-presence.js';
import { Gate } from '../support/boot.js';
import { describeEachEngine } from '../support/engines.js';

@Injectable()
class Reports {
  static started = new Gate();
  static gate = new Gate();

  @Task({ queue: 'rows', batch: { size: 10, wait: '10ms' } })
  store(_rows: TaskBatch<[number]>): void {}

  @Task({ queue: 'reports' })
  build(): number {
    return 1;
  }

  @Task({ queue: 'reports' })
  async held(): Promise<void> {
    Reports.started.open();
    await Reports.gate.opened;
  }
}

describeEachEngine('TaskAdmin.workers()', (engine) => {
  let app: INestApplicationContext;

  beforeAll(async () => {
    const place = await engine.place();
    @Module({
      imports: [
        TaskQueueModule.forRoot({
          ...place,
          application: 'shop',
          queues: { reports: { concurrency: 3 }, rows: { concurrency: 2 } },
        }),
      ],
      providers: [Reports],
    })
    class App {}
    app = await NestFactory.createApplicationContext(App, { logger: false, abortOnError: false });
  });
  afterAll(() => app.close());

  it('lists this process, without the queues of the package itself', async () => {
    const [worker, ...others] = await app.get(TaskAdmin).workers();
    expect(others).toEqual([]);
    expect(worker).toMatchObject({
      pid: process.pid,
      application: 'shop',
      state: 'alive',
      queues: expect.arrayContaining(['reports', 'rows']),
      tasks: ['Reports.build', 'Reports.held', 'Reports.store'],
      // Of a batch, the tasks of all runs.
      concurrency: { reports: 3, rows: 20 },
      batchSizes: { rows: 10 },
    });
    expect(Date.parse(worker?.seenAt ?? '')).toBeGreaterThanOrEqual(Date.parse(worker?.startedAt ?? ''));
  });

  it('shows the tasks that run, and how busy the process is', async () => {
    [Reports.started, Reports.gate] = [new Gate(), new Gate()];
    const handle = await app.get(TaskQueue).of(Reports).held.enqueue();
    await Reports.started.opened;
    // By itself, the worker gives a sign of life every ten seconds.
    await app.get(WorkerPresence).refresh();
    const [worker] = await app.get(TaskAdmin).workers();
    expect(worker).toMatchObject({ running: [{ id: handle.id, name: 'Reports.held' }], runningCount: 1 });
    expect(worker?.memory).toBeGreaterThan(1e6);
    expect(worker?.eventLoopDelay).toBeGreaterThanOrEqual(0);
    const { startedAt } = await handle.status();
    expect(Math.abs(Date.parse(worker?.running[0]?.since ?? '') - Date.parse(startedAt ?? ''))).toBeLessThan(5_000);
    Reports.gate.open();
    await handle.result();
    await app.get(WorkerPresence).refresh();
    expect((await app.get(TaskAdmin).workers())[0]).toMatchObject({ running: [], runningCount: 0 });
  });
});
