import { beforeEach, expect, it, jest } from '@jest/globals';
import { setImmediate as turn } from 'node:timers/promises';
import type { IQueueBackend } from 'bullmq';
import { patchWorkerBackend } from '../../../../lib/engine/bullmq/patched-worker-backend.js';

type Backend = Pick<IQueueBackend, 'moveToActive' | 'moveToCompleted' | 'moveToFailed'>;
type Answer = readonly unknown[];

const NONE: Answer = [null, '', 0, 0];
const LATER: Answer = [null, '', 0, 5_000_000];
const job = (id: string): Answer => [{ id }, id, 0, 0];

let asked: jest.Mock<() => Promise<Answer>>;
let ended: jest.Mock<() => Promise<{ result: Answer | undefined }>>;
let backend: { moveToActive(): Promise<Answer>; moveToCompleted(): Promise<unknown>; moveToFailed(): Promise<unknown> };

beforeEach(() => {
  asked = jest.fn<() => Promise<Answer>>().mockResolvedValue(NONE);
  ended = jest.fn<() => Promise<{ result: Answer | undefined }>>().mockResolvedValue({ result: NONE });
  const bare = { moveToActive: asked, moveToCompleted: ended, moveToFailed: ended };
  backend = patchWorkerBackend(bare as unknown as Backend) as unknown as typeof backend;
});

it('says of a job that more may be due, so that BullMQ begins with it', async () => {
  asked.mockResolvedValueOnce(job('a'));
  const [taken, id, limitedFor, delayedUntil] = await backend.moveToActive();
  expect([taken, id, limitedFor]).toEqual([{ id: 'a' }, 'a', 0]);
  expect(delayedUntil).toBeGreaterThan(0);
  expect(delayedUntil).toBeLessThan(Date.now());
});

it('hands on that there is none, and when the next is due', async () => {
  asked.mockResolvedValueOnce(LATER);
  expect(await backend.moveToActive()).toEqual(LATER);
});

it('asks for more only when the task has begun', async () => {
  asked.mockResolvedValueOnce(job('a')).mockResolvedValueOnce(job('b'));
  await backend.moveToActive();
  const more = backend.moveToActive();
  expect(asked).toHaveBeenCalledTimes(1);
  expect((await more)[1]).toBe('b');
});

it.each(['moveToCompleted', 'moveToFailed'] as const)(
  'takes the answer that %s has for a task that ended meanwhile',
  async (end) => {
    asked.mockResolvedValueOnce(job('a'));
    ended.mockResolvedValueOnce({ result: LATER });
    await backend.moveToActive();
    const more = backend.moveToActive();
    void backend[end]();
    expect(await more).toEqual(LATER);
    expect(asked).toHaveBeenCalledTimes(1);
  },
);

it('asks all the same where the end brought the next job, had nothing to say, or could not be stored', async () => {
  const ends = [{ result: job('b') }, { result: undefined }, new Error('Missing lock for job a. moveToFinished')];
  for (const end of ends) {
    asked.mockResolvedValueOnce(job('a')).mockResolvedValueOnce(job('c'));
    if (end instanceof Error) ended.mockRejectedValueOnce(end);
    else ended.mockResolvedValueOnce(end);
    await backend.moveToActive();
    const more = backend.moveToActive();
    backend.moveToCompleted().catch(() => undefined);
    expect((await more)[1]).toBe('c');
    await backend.moveToActive();
  }
});

it('does not take the answer to an older question', async () => {
  asked.mockResolvedValueOnce(job('a')).mockResolvedValueOnce(job('b'));
  await backend.moveToActive();
  await backend.moveToCompleted();
  await turn();
  expect((await backend.moveToActive())[1]).toBe('b');
});

it('waits a moment after an error that is no broken connection, and no longer than that', async () => {
  jest.useFakeTimers();
  try {
    asked.mockRejectedValueOnce(new Error('OOM command not allowed'));
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
