import { beforeEach, expect, it, jest } from '@jest/globals';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { IQueueBackend } from 'bullmq';
import { patchWorkerBackend } from '../../../../lib/engine/bullmq/patched-worker-backend.js';

type Backend = Pick<IQueueBackend, 'moveToActive' | 'moveToCompleted' | 'moveToFailed' | 'waitForJob'>;
type Answer = readonly unknown[];

const NONE: Answer = [null, '', 0, 0];
const LATER: Answer = [null, '', 0, 5_000_000];
const job = (id: string): Answer => [{ id }, id, 0, 0];

let takeJob: jest.Mock<() => Promise<Answer>>;
let storeEnd: jest.Mock<() => Promise<{ result: Answer | undefined }>>;
let backend: Record<'moveToCompleted' | 'moveToFailed' | 'waitForJob', () => Promise<unknown>> & {
  moveToActive(): Promise<Answer>;
};

beforeEach(() => {
  takeJob = jest.fn<() => Promise<Answer>>().mockResolvedValue(NONE);
  storeEnd = jest.fn<() => Promise<{ result: Answer | undefined }>>().mockResolvedValue({ result: NONE });
  const bare = {
    moveToActive: takeJob,
    moveToCompleted: storeEnd,
    moveToFailed: storeEnd,
    waitForJob: async () => null,
  };
  backend = patchWorkerBackend(bare as unknown as Backend) as unknown as typeof backend;
});

it('moveToActive reports with a job that another is due, so that BullMQ starts the job at once', async () => {
  takeJob.mockResolvedValueOnce(job('a'));
  const [taken, id, limitedFor, delayedUntil] = await backend.moveToActive();
  expect([taken, id, limitedFor]).toEqual([{ id: 'a' }, 'a', 0]);
  expect(delayedUntil).toBeGreaterThan(0);
  expect(delayedUntil).toBeLessThan(Date.now());
});

it('moveToActive returns the answer of an empty queue as it is, with the time at which the next job is due', async () => {
  takeJob.mockResolvedValueOnce(LATER);
  expect(await backend.moveToActive()).toEqual(LATER);
});

it('the next moveToActive asks the server only after the task has started', async () => {
  takeJob.mockResolvedValueOnce(job('a')).mockResolvedValueOnce(job('b'));
  await backend.moveToActive();
  const more = backend.moveToActive();
  expect(takeJob).toHaveBeenCalledTimes(1);
  expect((await more)[1]).toBe('b');
});

it.each(['moveToCompleted', 'moveToFailed'] as const)(
  'the next moveToActive takes over the answer of %s for a task that ended meanwhile',
  async (end) => {
    takeJob.mockResolvedValueOnce(job('a'));
    storeEnd.mockResolvedValueOnce({ result: LATER });
    await backend.moveToActive();
    const more = backend.moveToActive();
    void backend[end]();
    expect(await more).toEqual(LATER);
    expect(takeJob).toHaveBeenCalledTimes(1);
  },
);

it('the next moveToActive asks the server when the end returned a job or nothing, or could not be stored', async () => {
  const ends = [{ result: job('b') }, { result: undefined }, new Error('Missing lock for job a. moveToFinished')];
  for (const end of ends) {
    takeJob.mockResolvedValueOnce(job('a')).mockResolvedValueOnce(job('c'));
    if (end instanceof Error) storeEnd.mockRejectedValueOnce(end);
    else storeEnd.mockResolvedValueOnce(end);
    await backend.moveToActive();
    const more = backend.moveToActive();
    backend.moveToCompleted().catch(() => undefined);
    expect((await more)[1]).toBe('c');
    await backend.moveToActive();
  }
});

it('the next moveToActive does not take over the answer of an earlier end', async () => {
  takeJob.mockResolvedValueOnce(job('a')).mockResolvedValueOnce(job('b'));
  await backend.moveToActive();
  await backend.moveToCompleted();
  await nextTurn();
  expect((await backend.moveToActive())[1]).toBe('b');
});

it('a worker that has waited for a job asks the server at once, whatever ends in this turn', async () => {
  takeJob.mockResolvedValueOnce(job('a')).mockResolvedValueOnce(job('b'));
  await backend.moveToActive();
  await backend.waitForJob();
  const more = backend.moveToActive();
  expect(takeJob).toHaveBeenCalledTimes(2);
  void backend.moveToCompleted();
  expect((await more)[1]).toBe('b');
});

it('moveToActive waits for a second after an error other than a broken connection, and only then', async () => {
  jest.useFakeTimers();
  try {
    takeJob.mockRejectedValueOnce(new Error('OOM command not allowed'));
    let failed = false;
    const taking = backend.moveToActive().catch(() => (failed = true));
    await jest.advanceTimersByTimeAsync(900);
    expect(failed).toBe(false);
    await jest.advanceTimersByTimeAsync(200);
    await taking;
    expect(failed).toBe(true);
    expect(await backend.moveToActive()).toEqual(NONE);
  } finally {
    jest.useRealTimers();
  }
});
