import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { JobJson } from 'bullmq';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { ChangeFeed } from '../../../../../lib/engine/bullmq/changes/change-feed.js';
import {
  isLockLoss,
  LockLossDetector,
  type LockLossDetectorDeps,
} from '../../../../../lib/engine/bullmq/consumer/lock-loss-detector.js';
import type { StoredJobs } from '../../../../../lib/engine/bullmq/stored-jobs.js';

const ID = 'reports.q0hQ2gD2mR7c3gYtVJm1Ng';
const TAKEN = { name: 'Reports.build', processedOn: 1_000, attemptsMade: 1 };

/** The words of the installed BullMQ, which exports neither them nor the codes of its errors. */
const require = createRequire(import.meta.url);
const { finishedErrors } = require(join(dirname(require.resolve('bullmq')), 'classes', 'finished-errors.js')) as {
  finishedErrors(facts: { code: number; jobId: string; parentKey?: string; command: string; state?: string }): Error;
};

const errorOfBullMQ = (code: number, state = 'active') =>
  finishedErrors({ code, jobId: ID, parentKey: `tasks:reports:${ID}`, command: 'moveToFinished', state });

const LOSSES = [
  ['the job is gone', errorOfBullMQ(-1)],
  ['the lock is gone', errorOfBullMQ(-2)],
  ['another process has put the job back', errorOfBullMQ(-3)],
  ['another process has the lock', errorOfBullMQ(-6)],
] as const;

describe('isLockLoss', () => {
  it.each(LOSSES)('recognises that %s', (_, error) => {
    expect(isLockLoss(error)).toBe(true);
  });

  it.each([
    ['a job that is not delayed', errorOfBullMQ(-3, 'delayed')],
    ['members that have not ended', errorOfBullMQ(-4)],
    ['a parent that is gone', errorOfBullMQ(-5)],
    ['a connection that broke', new Error('Connection is closed.')],
    ['an error of a task that quotes BullMQ', new Error(`Error: ${errorOfBullMQ(-2).message}`)],
  ])('does not take %s for a lost lock', (_, error) => {
    expect(isLockLoss(error)).toBe(false);
  });
});

describe('LockLossDetector', () => {
  const find = jest.fn<StoredJobs['find']>();
  const changed = jest.fn<ChangeFeed['changed']>();
  const onFound = jest.fn<LockLossDetectorDeps['onFound']>();
  const addLost = jest.fn<(id: string, name: string) => void>();
  let detector: LockLossDetector;

  beforeEach(() => {
    for (const mock of [find, changed, addLost, onFound]) mock.mockReset();
    detector = new LockLossDetector({
      queue: 'reports',
      jobs: { find },
      feed: { changed } as unknown as ChangeFeed,
      log: { addLost } as never,
      onFound,
    });
  });

  function stored(json: Partial<JobJson>): void {
    find.mockResolvedValue([{ json: json as JobJson, state: 'active' }]);
  }

  /** Handles an error, and lets the look-up that may follow end. */
  async function handle(error: Error): Promise<boolean> {
    const handled = detector.handle(error);
    await new Promise(setImmediate);
    return handled;
  }

  it('leaves other errors to its caller', async () => {
    detector.willStoreEnd(ID, TAKEN);
    expect(await handle(new Error('Connection is closed.'))).toBe(false);
    expect(find).not.toHaveBeenCalled();
  });

  it('ignores the error for each lock that was not renewed, because an event reports them together', async () => {
    detector.willStoreEnd(ID, TAKEN);
    expect(await handle(new Error(`could not renew lock for job ${ID}`))).toBe(true);
    expect(find).not.toHaveBeenCalled();
  });

  it.each(LOSSES)('reads the job when %s', async (_, error) => {
    stored({ processedOn: 1_000, attemptsMade: 2 });
    detector.willStoreEnd(ID, TAKEN);
    expect(await handle(error)).toBe(true);
    expect(find.mock.calls).toEqual([[[{ queue: 'reports', id: ID }]]]);
  });

  it.each<[what: string, json: Partial<JobJson> | undefined, isStored: boolean]>([
    ['the attempt of this process counts', { processedOn: 1_000, attemptsMade: 2 }, true],
    ['the attempt of this process does not count', { processedOn: 1_000, attemptsMade: 1 }, false],
    ['the attempts were never counted', { processedOn: 1_000 }, false],
    ['another process took the job since', { processedOn: 1_001, attemptsMade: 2 }, false],
    ['the job is gone', undefined, false],
  ])('decides from the stored job whether the end is stored: %s', async (_, json, isStored) => {
    if (json) stored(json);
    else find.mockResolvedValue([undefined]);
    detector.willStoreEnd(ID, TAKEN);
    await handle(errorOfBullMQ(-2));
    expect(changed.mock.calls).toEqual(isStored ? [[ID, true]] : []);
    expect(onFound).toHaveBeenCalledTimes(isStored ? 1 : 0);
    expect(addLost.mock.calls).toEqual(isStored ? [] : [[ID, 'Reports.build']]);
  });

  it('takes a task for lost when the store cannot be read', async () => {
    find.mockRejectedValue(new Error('no answer'));
    detector.willStoreEnd(ID, TAKEN);
    expect(await handle(errorOfBullMQ(-2))).toBe(true);
    expect(addLost).toHaveBeenCalledWith(ID, 'Reports.build');
  });

  it('reads the job once for both errors that BullMQ reports of it', async () => {
    stored({ processedOn: 1_001 });
    detector.willStoreEnd(ID, TAKEN);
    expect(await handle(errorOfBullMQ(-2))).toBe(true);
    expect(await handle(errorOfBullMQ(-2))).toBe(true);
    expect(find).toHaveBeenCalledTimes(1);
    expect(addLost).toHaveBeenCalledTimes(1);
  });

  it('reads nothing of a job whose end is stored, or was never to be stored', async () => {
    detector.willStoreEnd(ID, TAKEN);
    detector.hasStoredEnd(ID);
    expect(await handle(errorOfBullMQ(-2))).toBe(true);
    detector.willStoreEnd('reports.other', TAKEN);
    expect(await handle(errorOfBullMQ(-2))).toBe(true);
    expect(find).not.toHaveBeenCalled();
  });
});
