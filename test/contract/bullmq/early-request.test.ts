import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Redis } from 'ioredis';
import { Task, type Role, type TaskQueueOptions, type Tasks } from 'nestjs-task-queue';
import { boot, type Booted } from '../../support/boot.js';
import { Gate } from '../../support/gate.js';
import { startProxy } from '../../support/tcp-proxy.js';
import { until } from '../../support/until.js';

/** The gate for which long tasks wait, and the times at which tasks started. */
let gate: Gate;
let startedAt = 0;
let longStarted = false;

@Injectable()
class Work {
  @Task()
  async echo(text: string): Promise<string> {
    startedAt = performance.now();
    return text;
  }

  @Task()
  async long(): Promise<void> {
    longStarted = true;
    await gate.opened;
  }
}

const server = process.env['TEST_REDIS_URL'] as string;
let redis: Redis;
let prefix: string;
let count = 0;
let apps: Booted[] = [];

beforeAll(() => {
  redis = new Redis(server);
});
beforeEach(() => {
  gate = new Gate();
  longStarted = false;
  prefix = `early_${process.pid}_${++count}`;
});
afterEach(async () => {
  gate.open();
  await Promise.all(apps.map(({ app }) => app.close()));
  apps = [];
});
afterAll(async () => {
  const keys = await redis.keys(`early_${process.pid}_*`);
  if (keys.length > 0) await redis.unlink(keys);
  redis.disconnect();
});

async function start(role: Role, options: TaskQueueOptions = {}): Promise<Tasks<Work>> {
  const booted = await boot({ connection: server, prefix, role, ...options }, [Work]);
  apps.push(booted);
  return booted.queue.of(Work);
}

/** Waits until so many workers of the queue wait for Redis to tell of a task. */
async function untilIdle(workers: number): Promise<void> {
  const name = ` name=${prefix}:${Buffer.from('default').toString('base64')}`;
  const isIdle = (client: string) => client.includes(name) && client.includes(' cmd=bzpopmin ');
  await until(
    async () =>
      String(await redis.client('LIST'))
        .split('\n')
        .filter(isIdle).length === workers,
    `${workers} workers wait`,
  );
}

async function run(work: Tasks<Work>, text: string): Promise<string> {
  return (await work.echo.enqueue(text)).result({ timeout: '10s' });
}

/** Redis alone: its worker learns of a job by a command that waits, and PostgreSQL tells every worker with the answer to the enqueue. */
it.each([1, 10])(
  'a task starts after one way to Redis and back in the process that enqueues it (concurrency %i)',
  async (concurrency) => {
    const ONE_WAY = 40;
    const proxy = await startProxy(Number(new URL(server).port), ONE_WAY);
    try {
      const connection = `redis://127.0.0.1:${proxy.port}`;
      const work = await start('both', { connection, queues: { default: { concurrency } } });
      await run(work, 'first');
      const times: number[] = [];
      for (let n = 0; n < 5; n++) {
        await untilIdle(1);
        const begun = performance.now();
        await run(work, `${n}`);
        times.push(startedAt - begun);
      }
      // With a marker for which the worker waits there are two ways to Redis and back.
      expect(Math.min(...times)).toBeGreaterThanOrEqual(2 * ONE_WAY);
      expect(Math.min(...times)).toBeLessThan(3.5 * ONE_WAY);
      await Promise.all(apps.splice(0).map(({ app }) => app.close()));
    } finally {
      await proxy.close();
    }
  },
);

it('a process that is busy with its own task keeps no task from an idle one', async () => {
  const queues = { default: { concurrency: 1 } };
  await start('worker', { queues });
  await untilIdle(1);
  const busy = await start('both', { queues });
  const producer = await start('producer');
  await untilIdle(2);
  // Redis tells the worker that has waited for longer. The other one has asked before, and its command goes on waiting.
  await busy.long.enqueue();
  await until(() => longStarted, 'the long task runs');
  await untilIdle(2);
  // A worker that waits and is told of no task asks after five seconds.
  for (let n = 0; n < 3; n++) {
    const handle = await producer.echo.enqueue(`${n}`);
    expect(await handle.result({ timeout: '2s' })).toBe(`${n}`);
  }
});

it('each of many tasks that are enqueued one by one runs once, wherever a worker is idle', async () => {
  const [one, other] = [await start('both'), await start('both')];
  await Promise.all([run(one, 'first'), run(other, 'first')]);
  const texts = Array.from({ length: 200 }, (_, n) => `${n}`);
  const results: string[] = [];
  for (const [n, text] of texts.entries()) {
    const handle = await (n % 2 === 0 ? one : other).echo.enqueue(text);
    // Now and then all workers wait again.
    if (n % 10 === 0) await untilIdle(2);
    results.push(await handle.result({ timeout: '2s' }));
  }
  expect(results).toEqual(texts);
});
