import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { InjectQueue } from '@nestjs/bullmq';
import { Injectable } from '@nestjs/common';
import type { Queue } from 'bullmq';
import { ConfigurationError, Task, TaskNotFoundError, type TaskQueueOptions } from 'nestjs-task-queue';
import { boot, type Booted } from '../../support/boot.js';
import { freePrefix } from '../../support/servers.js';

@Injectable()
class Work {
  constructor(@InjectQueue('default') readonly queue: Queue) {}

  @Task()
  async double(value: number): Promise<number> {
    return value * 2;
  }
}

let apps: Booted[];
beforeEach(() => void (apps = []));
afterEach(() => Promise.all(apps.map(({ app }) => app.close())));

async function start(options: TaskQueueOptions): Promise<Booted> {
  const booted = await boot(options, [Work]);
  apps.push(booted);
  return booted;
}

it('the connection memory: is the default under a test runner', async () => {
  const { queue, app } = await start({});
  expect(await (await queue.of(Work).double.enqueue(2)).result()).toBe(4);
  expect(() => app.get(Work).queue.name).toThrow(ConfigurationError);
});

it('memory: is private to one application, and a name is shared by those with the same prefix', async () => {
  const connection = `memory:${freePrefix()}`;
  const [one, same, otherPrefix, alone] = await Promise.all([
    start({ connection }),
    start({ connection, role: 'producer' }),
    start({ connection, prefix: 'other' }),
    start({ connection: 'memory:' }),
  ]);
  const handle = await same.queue.of(Work).double.enqueue(4);
  expect(await handle.result()).toBe(8);
  expect(await one.queue.handle(handle.id).status()).toMatchObject({ state: 'succeeded' });
  for (const { queue } of [otherPrefix, alone]) {
    await expect(queue.handle(handle.id).status()).rejects.toBeInstanceOf(TaskNotFoundError);
  }
});

it("BullMQ's own queue is a clear error when it is used", async () => {
  const { app } = await start({ connection: 'memory:' });
  expect(() => app.get(Work).queue.add('job', {})).toThrow(
    'The queue "default" is asked for "add", but the connection memory: has no BullMQ queues.',
  );
});
