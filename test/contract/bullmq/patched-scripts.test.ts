import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Redis } from 'ioredis';
import { Task, type Tasks } from 'nestjs-task-queue';
import { patchScripts } from '../../../lib/engine/bullmq/redis/patched-scripts.js';
import { boot, type Booted } from '../../support/boot.js';
import { until } from '../../support/until.js';

@Injectable()
class Work {
  @Task()
  async echo(text: string): Promise<string> {
    return text;
  }

  private hasFailed = false;

  @Task()
  async fails(): Promise<string> {
    if (this.hasFailed) return 'again';
    this.hasFailed = true;
    throw new Error('once');
  }

  /** Ends when so many calls run at the same time. */
  @Task()
  async meets(others: number): Promise<void> {
    Work.running++;
    await until(() => Work.running % others === 0, 'the others run too', 2_500);
  }

  static running = 0;

  @Task({ unique: { while: 'running', key: (text: string) => text } })
  async unique(text: string): Promise<string> {
    return text;
  }
}

const url = process.env['TEST_REDIS_URL'] as string;

/** Redis alone: docs/upstream.md lists what is changed there in BullMQ's scripts. */
describe("BullMQ's scripts and keys of a wrong type", () => {
  let redis: Redis;
  let booted: Booted;
  let work: Tasks<Work>;
  let prefix: string;
  let count = 0;

  beforeAll(() => {
    redis = new Redis(url);
  });
  afterEach(() => booted.app.close());
  beforeEach(async () => {
    prefix = `scripts_${process.pid}_${++count}`;
    booted = await boot({ connection: url, prefix, abandonedAfter: '2s', queues: { default: { priorities: true } } }, [
      Work,
    ]);
    work = booted.queue.of(Work);
  });
  afterAll(async () => {
    const keys = await redis.keys(`scripts_${process.pid}_*`);
    if (keys.length > 0) await redis.unlink(keys);
    redis.disconnect();
  });

  const key = (...parts: string[]) => [prefix, 'default', ...parts].join(':');

  it('a delayed job whose key is no hash keeps none of the jobs that are due with it', async () => {
    const texts = Array.from({ length: 20 }, (_, n) => [`${n}`] as const);
    const [broken, ...others] = await work.echo.with({ delay: '1h' }).enqueueMany(texts);
    await redis.del(key(broken!.id));
    await redis.lpush(key(broken!.id), 'x');
    // All are due now, and the worker looks for the jobs that are due when it has ended another one.
    await redis.zadd(key('delayed'), ...[broken!, ...others].flatMap(({ id }) => [1, id]));
    await (await work.echo.enqueue('now')).result({ timeout: '10s' });
    const results = await Promise.all(others.map((handle) => handle.result({ timeout: '10s' })));
    expect(results).toHaveLength(19);
    await until(async () => (await broken!.status()).finishedAt !== null, 'the broken task has failed');
  });

  it('a deduplication key that is no text does not keep a unique task from being stored and ended', async () => {
    const first = await work.unique.enqueue('a');
    await first.result({ timeout: '10s' });
    await work.unique.with({ delay: '1h' }).enqueue('b');
    const [known] = await redis.keys(key('de', '*'));
    await redis.del(known!);
    await redis.lpush(known!, 'x');
    const again = await work.unique.enqueue('b');
    await expect(again.result({ timeout: '10s' })).resolves.toBe('b');
  });

  it('a counter of lost workers that is no number does not end the search for lost workers', async () => {
    const [one, other] = await work.echo.with({ delay: '1h' }).enqueueMany([['one'], ['other']]);
    // As a worker leaves them that died: in the list of running jobs, without a lock.
    for (const { id } of [one!, other!]) {
      await redis.zrem(key('delayed'), id);
      await redis.hset(key(id), { stc: id === one!.id ? 'x' : '0', delay: '0' });
      await redis.rpush(key('active'), id);
    }
    await expect(other!.result({ timeout: '10s' })).resolves.toBe('other');
    await expect(one!.result({ timeout: '10s' })).rejects.toMatchObject({ cause: { code: 'UNREADABLE_TASK' } });
  });

  it('a failed task runs again although the stream of events is of a wrong type', async () => {
    const handle = await work.fails.enqueue();
    await expect(handle.result({ timeout: '10s' })).rejects.toThrow('once');
    await redis.set(key('events'), 'x');
    await handle.retry();
    await expect(handle.result({ timeout: '10s' })).resolves.toBe('again');
  });

  it.each([{}, { priority: 5 }])('a task that comes alone wakes its worker once: %j', async (options) => {
    await (await work.echo.enqueue('first')).result({ timeout: '10s' });
    const monitor = await redis.monitor();
    let marks = 0;
    let hasEnded = false;
    monitor.on('monitor', (_time: string, [command = '', name = '', ...values]: string[]) => {
      if (command.toLowerCase() === 'zadd' && name === key('marker')) marks++;
      if (command.toLowerCase() === 'xadd' && name === key('events')) hasEnded ||= values.includes('completed');
    });
    try {
      await (await work.echo.with(options).enqueue('alone')).result({ timeout: '10s' });
      await until(() => hasEnded, 'the monitor shows the end');
      // The script that stores the task sets a mark, and the one that takes it sets none.
      expect(marks).toBe(1);
    } finally {
      monitor.disconnect();
    }
  });

  it('of tasks that come together, each worker with a free place gets one at once', async () => {
    const queues = { default: { concurrency: 1, priorities: true } };
    const other = await boot({ connection: url, prefix, queues }, [Work]);
    await booted.app.close();
    booted = await boot({ connection: url, prefix, queues }, [Work]);
    try {
      for (const options of [{}, { priority: 5 }]) {
        const handles = await other.queue
          .of(Work)
          .meets.with(options)
          .enqueueMany([[2], [2]]);
        await Promise.all(handles.map((handle) => handle.result({ timeout: '3s' })));
      }
    } finally {
      await other.app.close();
    }
  });

  it('errors of another kind are those of Redis, and many arguments are passed on', async () => {
    const client = patchScripts(new Redis(url)) as Redis & {
      testCall(...args: readonly string[]): Promise<unknown>;
      testMany(...args: readonly (string | number)[]): Promise<unknown>;
    };
    client.defineCommand('testCall', {
      numberOfKeys: 1,
      lua: "local rcall = redis.call\nreturn rcall('NONSENSE', KEYS[1])",
    });
    const plain = redis.eval("return redis.call('NONSENSE', KEYS[1])", 1, 'x').catch((error: Error) => error.message);
    const patched = client.testCall('x').catch((error: Error) => error.message);
    const kind = (message: unknown) => String(message).split(' script:')[0];
    expect(kind(await patched)).toBe(kind(await plain));
    client.defineCommand('testMany', {
      numberOfKeys: 1,
      lua: "local rcall = redis.call\nlocal all = {}\nfor n = 1, 7000 do all[n] = n end\nreturn rcall('RPUSH', KEYS[1], unpack(all))",
    });
    await expect(client.testMany(`${prefix}:many`)).resolves.toBe(7_000);
    client.disconnect();
  });
});
