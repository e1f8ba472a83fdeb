import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import type { Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { Task, TaskAdmin, type Role, type TaskQueueOptions, type Tasks } from 'nestjs-task-queue';
import { ENGINE } from '../../../lib/task-queue-tokens.js';
import { boot, type Booted } from '../../support/boot.js';
import { describeEachDatabase, type Place } from '../../support/engines.js';
import { Gate } from '../../support/gate.js';
import { startProxy } from '../../support/tcp-proxy.js';
import { until } from '../../support/until.js';

/** The gate for which long tasks wait, and the time at which the last task started. */
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

let apps: Booted[] = [];

beforeEach(() => {
  gate = new Gate();
  longStarted = false;
});
afterEach(closeAll);

async function closeAll(): Promise<void> {
  gate.open();
  await Promise.all(apps.map(({ app }) => app.close()));
  apps = [];
}

async function start(place: Place, role: Role, options: TaskQueueOptions = {}): Promise<Tasks<Work>> {
  const booted = await boot({ ...place, role, ...options }, [Work]);
  apps.push(booted);
  return booted.queue.of(Work);
}

/** Waits until the workers of all processes wait for a task. */
async function untilAllWait(): Promise<void> {
  await until(() => workers().every((worker) => isWaiting(worker)), 'all workers wait');
}

function workers(): Worker[] {
  return apps.flatMap(({ app }) => {
    const { consumers } = app.get<{ consumers: Map<string, { worker: Worker }> }>(ENGINE);
    return consumers.get('default')?.worker ?? [];
  });
}

/** BullMQ has the wait of a worker in a private field. */
function isWaiting(worker: Worker): boolean {
  return (worker as unknown as { waiting: unknown }).waiting !== null;
}

async function run(work: Tasks<Work>, text: string): Promise<string> {
  return (await work.echo.enqueue(text)).result({ timeout: '10s' });
}

describeEachDatabase('the request of an idle worker', (engine) => {
  const isEmbedded = engine.name === 'embedded';

  // Nothing goes any way to the embedded engine.
  const onServer = isEmbedded ? undefined : it;
  onServer?.each([1, 10])(
    'a task starts after one way to the server and back in the process that enqueues it (concurrency %i)',
    async (concurrency) => {
      const ONE_WAY = 40;
      const place = await engine.place();
      const url = new URL(place.connection);
      const proxy = await startProxy(Number(url.port), ONE_WAY);
      try {
        url.port = `${proxy.port}`;
        const queues = { default: { concurrency } };
        const work = await start({ ...place, connection: url.href }, 'both', { queues });
        await run(work, 'first');
        const times: number[] = [];
        for (let n = 0; n < 5; n++) {
          await untilAllWait();
          const begun = performance.now();
          await run(work, `${n}`);
          times.push(startedAt - begun);
        }
        // A worker that first learns of the task, and then asks for it, goes two ways.
        expect(Math.min(...times)).toBeGreaterThanOrEqual(2 * ONE_WAY);
        expect(Math.min(...times)).toBeLessThan(3.5 * ONE_WAY);
        await closeAll();
      } finally {
        await proxy.close();
      }
    },
  );

  it('each of many tasks that are enqueued one by one runs once, wherever a worker is idle', async () => {
    const place = await engine.place();
    const one = await start(place, 'both');
    // One process opens an embedded database.
    const other = isEmbedded ? one : await start(place, 'both');
    await Promise.all([run(one, 'first'), run(other, 'first')]);
    const texts = Array.from({ length: 200 }, (_, n) => `${n}`);
    const results: string[] = [];
    for (const [n, text] of texts.entries()) {
      const handle = await (n % 2 === 0 ? one : other).echo.enqueue(text);
      // Now and then all workers wait again.
      if (n % 10 === 0) await untilAllWait();
      results.push(await handle.result({ timeout: '2s' }));
    }
    expect(results).toEqual(texts);
  });

  it('a task of a paused queue waits, and so does a task of a queue that may run no other', async () => {
    const place = await engine.place();
    const work = await start(place, 'both', { queues: { default: { concurrency: 10, globalConcurrency: 1 } } });
    const { app, queue } = apps[0] as Booted;
    const admin = app.get(TaskAdmin);
    await run(work, 'first');
    await admin.pause('default');
    await untilAllWait();
    const paused = await work.echo.enqueue('paused');
    await untilAllWait();
    expect(await queue.handle(paused.id).status()).toMatchObject({ state: 'queued' });
    await admin.resume('default');
    expect(await paused.result({ timeout: '10s' })).toBe('paused');
    const long = await work.long.enqueue();
    await until(() => longStarted, 'the long task runs');
    await untilAllWait();
    const second = await work.echo.enqueue('second');
    expect(await queue.handle(second.id).status()).toMatchObject({ state: 'queued' });
    gate.open();
    await long.result({ timeout: '10s' });
    expect(await second.result({ timeout: '10s' })).toBe('second');
  });

  it('a delayed task starts at its time, although other tasks end the wait for it', async () => {
    const place = await engine.place();
    const work = await start(place, 'both');
    await run(work, 'first');
    await untilAllWait();
    const begun = performance.now();
    const later = await work.echo.with({ delay: 600 }).enqueue('later');
    for (let n = 0; n < 3; n++) {
      await run(work, `${n}`);
      await untilAllWait();
    }
    expect(await later.result({ timeout: '4s' })).toBe('later');
    expect(startedAt - begun).toBeGreaterThan(590);
    expect(startedAt - begun).toBeLessThan(3_000);
  });
});

describe('the marker of Redis', () => {
  const connection = process.env['TEST_REDIS_URL'] as string;
  const prefix = `early_${process.pid}`;
  const place = { connection, prefix };
  let redis: Redis;

  beforeAll(() => {
    redis = new Redis(connection);
  });
  afterAll(async () => {
    const keys = await redis.keys(`${prefix}:*`);
    if (keys.length > 0) await redis.unlink(keys);
    redis.disconnect();
  });

  /** Waits until so many workers of the queue wait for Redis to tell of a task. */
  async function untilIdle(count: number): Promise<void> {
    const name = ` name=${prefix}:${Buffer.from('default').toString('base64')}`;
    const isIdle = (client: string) => client.includes(name) && client.includes(' cmd=bzpopmin ');
    await until(
      async () =>
        String(await redis.client('LIST'))
          .split('\n')
          .filter(isIdle).length === count,
      `${count} workers wait`,
    );
  }

  it('a process that is busy with its own task keeps no task from an idle one', async () => {
    const queues = { default: { concurrency: 1 } };
    await start(place, 'worker', { queues });
    await untilIdle(1);
    const busy = await start(place, 'both', { queues });
    const producer = await start(place, 'producer');
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
});
