import { expect, it } from '@jest/globals';
import { getQueueToken } from '@nestjs/bullmq';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { Queue } from 'bullmq';
import { Task, TaskAdmin, TaskQueueModule, type Role } from 'nestjs-task-queue';
import { describeEachDatabase } from '../../support/engines.js';

@Injectable()
class Sums {
  @Task()
  add(a: number, b: number): number {
    return a + b;
  }

  @Task({ queue: 'mail' })
  send(): void {}
}

describeEachDatabase('getWorkers() of the queue that @InjectQueue() injects', (engine) => {
  it.each<[Role, readonly string[], { default: number; mail: number; unused: number }]>([
    ['worker', ['default', 'mail'], { default: 1, mail: 1, unused: 0 }],
    ['worker', ['mail'], { default: 0, mail: 1, unused: 0 }],
    ['producer', [], { default: 0, mail: 0, unused: 0 }],
  ])('lists a %s that takes from %j', async (role, consume, expected) => {
    const place = await engine.place();
    @Module({
      imports: [TaskQueueModule.forRoot({ ...place, role, consume, queues: { mail: {}, unused: {} } })],
      providers: [Sums],
    })
    class App {}
    const app = await NestFactory.createApplicationContext(App, { logger: false, abortOnError: false });
    try {
      const [worker] = await app.get(TaskAdmin).workers();
      for (const [name, count] of Object.entries(expected)) {
        const queue = app.get<Queue>(getQueueToken(name));
        const workers = await queue.getWorkers();
        expect(workers).toHaveLength(count);
        expect(await queue.getWorkersCount()).toBe(count);
        if (count > 0) expect(workers[0]).toMatchObject({ name });
        if (count > 0 && engine.name !== 'redis') expect(workers[0]?.['rawname']).toContain(worker?.id);
      }
    } finally {
      await app.close();
    }
  });
});
