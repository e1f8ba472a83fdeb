import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { getQueueToken } from '@nestjs/bullmq';
import { Injectable } from '@nestjs/common';
import type { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { group, Task, type TaskBatch, type Tasks } from 'nestjs-task-queue';
import type { Taken } from '../../../lib/engine/bullmq/lane/in-lane.js';
import { LARGEST_TAKE } from '../../../lib/engine/bullmq/redis/lane/lane-script.js';
import { MOST_JOBS, RedisLane } from '../../../lib/engine/bullmq/redis/lane/redis-lane.js';
import { boot, type Booted } from '../../support/boot.js';
import { Gate } from '../../support/gate.js';
import { freePrefix, startRedis } from '../../support/servers.js';
import { until } from '../../support/until.js';

/** More than one script ends and takes. */
const SIZE = MOST_JOBS + 10;

@Injectable()
class Rows {
  runs: number[][] = [];
  gate: Gate | undefined;

  @Task({
    queue: 'rows',
    batch: { size: SIZE, wait: '100ms' },
    retries: 2,
    backoff: { type: 'fixed', delay: 1, jitter: 0 },
  })
  async double(calls: TaskBatch<[number]>): Promise<number[]> {
    this.runs.push(calls.map(({ args: [value] }) => value));
    await this.gate?.opened;
    for (const call of calls) if (call.args[0] < 0) call.fail('negative');
    return calls.map(({ args: [value] }) => value * 2);
  }

  @Task({ queue: 'texts', batch: { size: SIZE, wait: '100ms' } })
  async length(calls: TaskBatch<[string]>): Promise<number[]> {
    return calls.map(({ args: [text] }) => text.length);
  }
}

const numbers = (count: number) => Array.from({ length: count }, (_, n): [number] => [n]);

describe.each([
  ['redis', undefined],
  ['a cluster of Redis', '{tag}'],
])('calls of batches that end together on %s', (_, clusterPrefix) => {
  const end = jest.spyOn(RedisLane.prototype, 'end');
  let server: Awaited<ReturnType<typeof startRedis>>;
  let booted: Booted;
  let rows: Tasks<Rows>;
  let provider: Rows;
  let native: Queue;
  let redis: Redis;
  let prefix: string;

  beforeAll(async () => {
    server = await startRedis({ cluster: clusterPrefix !== undefined });
    redis = new Redis(server.url);
  });
  afterAll(async () => {
    redis.disconnect();
    await server.close();
  });
  beforeEach(async () => {
    end.mockClear();
    prefix = `${clusterPrefix ?? ''}${freePrefix()}`;
    const connection = clusterPrefix ? { nodes: [{ host: '127.0.0.1', port: server.port }] } : server.url;
    booted = await boot({ connection, prefix, queues: { rows: { concurrency: 2 } } }, [Rows]);
    rows = booted.queue.of(Rows);
    provider = booted.app.get(Rows);
    native = booted.app.get<Queue>(getQueueToken('rows'));
  });
  afterEach(() => booted.app.close());

  const key = (name: string) => `${prefix}:rows:${name}`;

  it('plain and other calls end once, each with its result', async () => {
    await native.pause();
    const handles = [
      ...(await rows.double.enqueueMany(numbers(200))),
      ...(await rows.double.with({ delay: 20 }).enqueueMany(numbers(20))),
      ...(await rows.double.with({ idempotencyKey: 'one' }).enqueueMany([[1]])),
    ];
    const failing = await rows.double.enqueue(-1);
    const members = await group(numbers(20).map(([n]) => rows.double.signature(n))).enqueue();
    await native.resume();
    const doubled = (count: number) => numbers(count).map(([n]) => n * 2);
    const results = await Promise.all(handles.map((handle) => handle.result()));
    expect(results).toEqual([...doubled(200), ...doubled(20), 2]);
    expect(await members.result()).toEqual(doubled(20));
    await expect(failing.result()).rejects.toMatchObject({ cause: { message: 'negative' } });
    expect(provider.runs.flat()).toHaveLength(242);
    expect(end.mock.calls.length).toBeGreaterThan(150);
    await until(async () => (await redis.llen(key('active'))) === 0);
    expect(await redis.keys(key('*:lock'))).toEqual([]);
  });

  it('the stored jobs and the events are those of BullMQ', async () => {
    await native.pause();
    const handles = await rows.double.enqueueMany(numbers(2 * SIZE));
    await native.resume();
    await Promise.all(handles.map((handle) => handle.result()));
    expect(end.mock.calls.length).toBeGreaterThan(SIZE);
    for (const [n, { id }] of handles.entries()) {
      const job = (await native.getJob(id))!;
      expect(job).toMatchObject({ attemptsMade: 1, attemptsStarted: 1, stalledCounter: 0, returnvalue: n * 2 });
      expect(job.processedOn).toBeGreaterThanOrEqual(job.timestamp);
      expect(job.finishedOn).toBeGreaterThanOrEqual(job.processedOn!);
      expect(job.processedBy).toEqual(expect.any(String));
    }
    expect(await native.getCompletedCount()).toBe(handles.length);
    const events = (await redis.xrange(key('events'), '-', '+')).map(([, fields]) => fields);
    const of = (id: string) => events.filter((fields) => fields.includes(id)).map(([, event]) => event);
    for (const { id } of handles) expect(of(id)).toEqual(['added', 'waiting', 'active', 'completed']);
    expect(events.at(-1)).toEqual(['event', 'drained']);
  });

  it('a queue that is paused gives no further calls', async () => {
    provider.gate = new Gate();
    const handles = await rows.double.enqueueMany(numbers(3 * SIZE));
    await until(() => provider.runs.length === 2);
    await native.pause();
    provider.gate.open();
    await until(async () => (await native.getActiveCount()) === 0);
    // A batch that did not wait any longer has fewer calls.
    const started = provider.runs.flat().length;
    expect(started).toBeLessThanOrEqual(2 * SIZE);
    expect(await native.getCompletedCount()).toBe(started);
    await native.resume();
    await Promise.all(handles.map((handle) => handle.result()));
  });

  it('large calls are taken a few at a time, and all of them run', async () => {
    const take = jest.spyOn(RedisLane.prototype, 'take');
    const texts = booted.app.get<Queue>(getQueueToken('texts'));
    await texts.pause();
    const text = 'x'.repeat(LARGEST_TAKE / 2);
    const handles = await booted.queue.of(Rows).length.enqueueMany(numbers(9).map(() => [text]));
    await texts.resume();
    expect(await Promise.all(handles.map((handle) => handle.result()))).toEqual(handles.map(() => text.length));
    const taken = await Promise.all(
      take.mock.results.map(async ({ value }) => (await (value as Promise<Taken>)).jobs.size),
    );
    expect(Math.max(...taken)).toBe(2);
    take.mockRestore();
  });

  it('a call that another worker took over is not ended', async () => {
    provider.gate = new Gate();
    const handles = await rows.double.enqueueMany(numbers(SIZE));
    await until(() => provider.runs.length === 1);
    const lost = handles[3]!.id;
    await redis.set(key(`${lost}:lock`), 'of another worker');
    provider.gate.open();
    await until(async () => (await native.getCompletedCount()) === SIZE - 1);
    expect(await redis.hexists(key(lost), 'finishedOn')).toBe(0);
    expect(await redis.get(key(`${lost}:lock`))).toBe('of another worker');
  });
});
