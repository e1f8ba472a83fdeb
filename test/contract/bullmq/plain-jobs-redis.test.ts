import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { getQueueToken } from '@nestjs/bullmq';
import { Injectable } from '@nestjs/common';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { Task, type Tasks } from 'nestjs-task-queue';
import { PlainJobs } from '../../../lib/engine/bullmq/redis/plain-jobs.js';
import { boot, type Booted } from '../../support/boot.js';
import { freePrefix } from '../../support/servers.js';

@Injectable()
class Mails {
  @Task({ queue: 'mails' })
  async send(_to: string): Promise<void> {}
}

/** A job as BullMQ's backends store it. */
interface Entry {
  readonly jobId: string;
  readonly job: { readonly id: string; readonly name: string; readonly data: string; readonly opts: object };
}

describe('tasks that are stored together on Redis', () => {
  const url = process.env['TEST_REDIS_URL'] as string;
  const add = jest.spyOn(PlainJobs.prototype, 'add');
  let redis: Redis;
  let prefix: string;
  let booted: Booted;
  let mails: Tasks<Mails>;
  let own: Queue;
  let native: Queue;

  beforeAll(() => {
    redis = new Redis(url);
  });
  beforeEach(async () => {
    prefix = freePrefix();
    booted = await boot({ connection: url, prefix, role: 'producer' }, [Mails]);
    mails = booted.queue.of(Mails);
    own = booted.app.get<Queue>(getQueueToken('mails'));
    native = new Queue('native', { connection: redis, prefix });
    add.mockClear();
  });
  afterEach(async () => {
    await native.close();
    await booted.app.close();
    await redis.unlink(await redis.keys(`${prefix}:*`));
  });
  afterAll(() => redis.quit());

  const key = (queue: string, name: string) => `${prefix}:${queue}:${name}`;

  /** Everything that a queue keeps, without what names the queue and the times of its events. */
  async function storedIn(queue: string): Promise<Record<string, unknown>> {
    const ids = await redis.lrange(key(queue, 'wait'), 0, -1);
    const meta = await redis.hgetall(key(queue, 'meta'));
    return {
      ids,
      jobs: await Promise.all(ids.map((id) => readable(key(queue, id)))),
      events: (await redis.xrange(key(queue, 'events'), '-', '+')).map(([, fields]) => fields),
      marker: await redis.zrange(key(queue, 'marker'), '0', '-1', 'WITHSCORES'),
      counter: await redis.get(key(queue, 'id')),
      keptEvents: meta['opts.maxLenEvents'],
    };
  }

  /** The options as a value: Lua writes their fields in any order. */
  async function readable(job: string): Promise<Record<string, unknown>> {
    const { opts = '', ...hash } = await redis.hgetall(job);
    return { ...hash, opts: JSON.parse(opts) as unknown };
  }

  /** Lets BullMQ store the jobs of the queue `mails`, each by itself, in the queue `native`. */
  async function storeNatively(ids: readonly string[]): Promise<void> {
    for (const id of ids) {
      const { name = '', data = '', opts = '', timestamp } = await redis.hgetall(key('mails', id));
      const job = { id, name, data, opts: JSON.parse(opts) as object, timestamp: Number(timestamp) };
      await native.getBackend().addJob(job as never, id);
    }
  }

  it('have the keys and the events of BullMQ', async () => {
    const handles = [
      ...(await mails.send.enqueueMany([['a'], ['b'], ['"\\ü\u2028']])),
      ...(await mails.send.with({ retries: 2, timeout: '1m' }).enqueueMany([['c'], ['d']])),
      await mails.send.enqueue('e'),
    ];
    expect(add).toHaveBeenCalled();
    await storeNatively(handles.map(({ id }) => id));
    const stored = await storedIn('mails');
    expect(stored['ids']).toEqual(handles.map(({ id }) => id).toReversed());
    expect(stored).toEqual(await storedIn('native'));
  });

  it('stand in the order of the calls', async () => {
    const handles = await mails.send.enqueueMany(Array.from({ length: 1_000 }, (_, n) => [`${n}`]));
    expect((await redis.lrange(key('mails', 'wait'), 0, -1)).toReversed()).toEqual(handles.map(({ id }) => id));
  });

  it('wake no worker of a queue that is paused or full', async () => {
    await own.pause();
    await mails.send.enqueueMany([['a'], ['b']]);
    expect(await redis.exists(key('mails', 'marker'))).toBe(0);
    await own.resume();
    await redis.del(key('mails', 'marker'));
    await own.setGlobalConcurrency(1);
    await redis.lpush(key('mails', 'active'), 'running');
    await mails.send.enqueueMany([['c'], ['d']]);
    expect(await redis.exists(key('mails', 'marker'))).toBe(0);
    await own.setGlobalConcurrency(2);
    await mails.send.enqueue('e');
    expect(await redis.zrange(key('mails', 'marker'), '0', '-1')).toEqual(['0']);
  });

  it('are stored once, and the second time is told as BullMQ tells it', async () => {
    const { id } = await mails.send.enqueue('a');
    await storeNatively([id]);
    await storeNatively([id]);
    const { name = '', data = '', timestamp } = await redis.hgetall(key('mails', id));
    const entry: Entry = { jobId: id, job: { id, name, data, opts: {}, ...{ timestamp: Number(timestamp) } } };
    await new PlainJobs(redis).add(own.getBackend(), [entry as never]);
    expect(await storedIn('mails')).toEqual(await storedIn('native'));
  });

  it('are stored although settings of the queue are no numbers, and its counter is a list', async () => {
    await redis.hset(key('mails', 'meta'), { concurrency: 'many', 'opts.maxLenEvents': 'all' });
    await redis.del(key('mails', 'id'));
    await redis.lpush(key('mails', 'id'), 'x');
    const handles = await mails.send.enqueueMany([['a'], ['b']]);
    expect(add).toHaveBeenCalledTimes(1);
    expect(await redis.llen(key('mails', 'wait'))).toBe(handles.length);
    expect(Number(await redis.get(key('mails', 'id')))).toBeGreaterThan(1_700_000_000_000);
  });

  it('another version of BullMQ stores them itself', async () => {
    const jobs = new PlainJobs(redis);
    expect(jobs.fit({ version: '6.7.12' } as never, [])).toBe(true);
    expect(jobs.fit({ version: '6.8.0' } as never, [])).toBe(false);
    const fit = jest.spyOn(PlainJobs.prototype, 'fit').mockReturnValue(false);
    try {
      const handles = await mails.send.enqueueMany([['a'], ['b']]);
      expect(add).not.toHaveBeenCalled();
      expect((await redis.lrange(key('mails', 'wait'), 0, -1)).toReversed()).toEqual(handles.map(({ id }) => id));
    } finally {
      fit.mockRestore();
    }
  });
});
