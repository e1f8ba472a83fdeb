import { expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { RedisQueueBackend } from 'bullmq';
import { bullmq } from '../../../../../../lib/engine/bullmq/bullmq-package.cjs';
import { LANE_VERSION } from '../../../../../../lib/engine/bullmq/redis/lane/lane-script.js';
import { useRedisLane } from '../../../../../../lib/engine/bullmq/redis/lane/patched-redis-lane.js';
import { CHECKED_VERSIONS } from '../../../../../../lib/engine/bullmq/checked-versions.js';

const own = async () => ({ result: undefined, finishedOn: 1 });

function backendOf(version: string, opts: object = {}): RedisQueueBackend {
  return {
    ...{ version, queue: { opts }, toKey: (key: string) => `p:q:${key}` },
    ...{ moveToCompleted: own, moveToFailed: own, moveToActive: own },
    ...{ waitForJob: own, close: own, moveJobFromActiveToWait: own },
  } as unknown as RedisQueueBackend;
}

function use(backend: RedisQueueBackend): boolean {
  const deps = {
    clock: { difference: 0 } as never,
    ends: { ending: () => undefined },
    isOutage: () => false,
    send: jest.fn<never>(),
    toJob: () => [],
    worker: () => undefined,
  };
  useRedisLane(backend, deps as never, (one) => one);
  return (backend.moveToActive as unknown) !== own;
}

it('is for the scripts of the checked version of BullMQ, and another one is one line in the log', () => {
  const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
  expect(CHECKED_VERSIONS['bullmq']).toContain(LANE_VERSION);
  expect(use(backendOf(`${LANE_VERSION}.3`))).toBe(true);
  expect(warn).not.toHaveBeenCalled();
  expect(use(backendOf('6.99.0'))).toBe(false);
  expect(warn.mock.calls).toEqual([[expect.stringContaining('BullMQ 6.99.0 is not 6.7')]]);
  warn.mockRestore();
});

it('leaves a worker alone that has a limiter, metrics or removes what ended', () => {
  for (const opts of [{ limiter: { max: 1, duration: 1 } }, { metrics: {} }, { removeOnComplete: true }])
    expect(use(backendOf(`${LANE_VERSION}.0`, opts))).toBe(false);
});

it('finds on the backends of BullMQ what it reads there', async () => {
  const { Queue } = bullmq.withBackend(bullmq.createRedisBackend);
  const queue = new Queue('q', { connection: { lazyConnect: true } });
  const backend = queue.getBackend() as unknown as { version: string; queue: { opts: object } };
  expect(backend).toMatchObject({ version: expect.stringMatching(/^6\./), queue: { opts: expect.any(Object) } });
  await queue.close();
});
