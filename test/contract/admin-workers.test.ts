import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Injectable, Module, type INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Task, TaskAdmin, TaskQueueModule } from 'nestjs-task-queue';
import { describeEachEngine } from '../support/engines.js';

@Injectable()
class Reports {
  @Task({ queue: 'reports' })
  build(): number {
    return 1;
  }
}

describeEachEngine('TaskAdmin.workers()', (engine) => {
  let app: INestApplicationContext;

  beforeAll(async () => {
    const place = await engine.place();
    @Module({
      imports: [TaskQueueModule.forRoot({ ...place, application: 'shop', queues: { reports: { concurrency: 3 } } })],
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
      queues: ['reports'],
      tasks: ['Reports.build'],
      concurrency: { reports: 3 },
    });
    expect(Date.parse(worker?.seenAt ?? '')).toBeGreaterThanOrEqual(Date.parse(worker?.startedAt ?? ''));
  });
});
