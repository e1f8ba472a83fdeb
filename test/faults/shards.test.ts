import { expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Task, TaskAdmin, TaskProcessor } from 'nestjs-task-queue';
import { boot } from '../support/boot.js';
import { startRedis } from '../support/servers.js';
import { until } from '../support/until.js';

@Injectable()
@TaskProcessor({ queue: 'films' })
class Films {
  @Task()
  cut(length: number): number {
    return length;
  }
}

@Injectable()
@TaskProcessor({ queue: 'mail' })
class Mails {
  @Task()
  send(to: number): number {
    return to;
  }
}

it('a shard whose server is gone takes only its own queues along, and what waited there runs once it is back', async () => {
  const [first, second] = [await startRedis(), await startRedis({ durable: true })];
  const options = {
    connection: first.url,
    shards: { media: { connection: second.url } },
    queues: { films: { shard: 'media' } },
  };
  const producer = await boot({ ...options, role: 'producer' });
  const waiting = await producer.queue.of(Films).cut.enqueueMany([[1], [2], [3]]);
  await second.kill();

  const worker = await boot(options, [Films, Mails]);
  const admin = worker.app.get(TaskAdmin);
  const mail = await worker.queue.of(Mails).send.enqueue(5);
  expect(await mail.result({ timeout: '60s' })).toBe(5);
  await expect(worker.queue.of(Films).cut.enqueue(9)).rejects.toMatchObject({ code: 'ENGINE_UNAVAILABLE' });
  expect(await admin.shards()).toMatchObject([{ reachable: true }, { name: 'media', reachable: false }]);
  expect((await admin.queues()).map(({ name }) => name)).toEqual(['mail']);
  expect(await admin.tasks({ state: 'succeeded' })).toMatchObject({ missingShards: ['media'] });

  await second.restart();
  const results = waiting.map(({ id }) => worker.queue.handle(id).result({ timeout: '60s' }));
  expect(await Promise.all(results)).toEqual([1, 2, 3]);
  await until(async () => (await admin.queues()).length === 2);
  await until(async () => !(await admin.tasks({ state: 'succeeded' })).missingShards);

  await worker.app.close();
  await producer.app.close();
  await first.close();
  await second.close();
}, 120_000);
