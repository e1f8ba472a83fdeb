import { expect, it, jest } from '@jest/globals';
import type { Worker } from 'bullmq';
import { LimitedIntake } from '../../../../lib/engine/bullmq/consumer/patched-intake.js';

/** As much of a worker as the intake changes. */
function fakeWorker() {
  const asked: string[] = [];
  const added: unknown[] = [];
  const backend = {
    moveToActive: async (token: string) => {
      asked.push(token);
      return [{}, token, 0, 0];
    },
  };
  const worker = {
    concurrency: 10,
    getBackend: () => backend,
    mainLoopQueue: { filled: 0, numTotal: () => worker.mainLoopQueue.filled, add: (job: unknown) => added.push(job) },
  };
  return { worker, backend, asked, added };
}

function places(count: number) {
  let listener = () => undefined as void;
  const state = {
    count: () => count,
    onChange(changed: () => void) {
      listener = changed;
      return () => undefined;
    },
    set(value: number) {
      count = value;
      listener();
    },
  };
  return state;
}

it('a worker asks for no job while there is no place, and lets another worker ask', async () => {
  const { worker, backend, asked } = fakeWorker();
  const free = places(0);
  const wake = jest.fn(async () => undefined);
  const intake = new LimitedIntake(worker as unknown as Worker, free, 5, wake);
  const job = backend.moveToActive('a');
  await Promise.resolve();
  expect(asked).toEqual([]);
  expect(wake).toHaveBeenCalledTimes(1);
  free.set(1);
  await job;
  expect(asked).toEqual(['a']);
  expect(worker.concurrency).toBe(1);
  expect([intake.isFull(0), intake.isFull(1)]).toEqual([false, true]);
});

it('a worker whose places are full asks again when it gets another place, up to its concurrency', () => {
  const { worker, added } = fakeWorker();
  const free = places(1);
  const intake = new LimitedIntake(worker as unknown as Worker, free, 3, async () => undefined);
  worker.mainLoopQueue.filled = 1;
  free.set(2);
  expect([worker.concurrency, added.length]).toEqual([2, 1]);
  worker.mainLoopQueue.filled = 1;
  free.set(9);
  // It has a free place already, and asks by itself.
  expect([worker.concurrency, added.length]).toEqual([3, 1]);
  expect(intake.isFull(3)).toBe(true);
});

it('a worker that stops gets no job', async () => {
  const { worker, backend, asked } = fakeWorker();
  const intake = new LimitedIntake(worker as unknown as Worker, places(0), 5, async () => undefined);
  const job = backend.moveToActive('a');
  intake.stop();
  expect((await job)[0]).toBeUndefined();
  expect((await backend.moveToActive('b'))[0]).toBeUndefined();
  expect(asked).toEqual([]);
});
