import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { LockManager, type Worker } from 'bullmq';
import { renewLocksByTimer } from '../../../../lib/engine/bullmq/patched-lock-renewal.js';

const RENEW_TIME = 1_000;
const renewed: string[][] = [];
let answer: () => Promise<string[]>;
let lockManager: LockManager;

beforeEach(() => {
  jest.useFakeTimers({ now: Date.UTC(2026, 0, 1, 12) });
  renewed.length = 0;
  answer = async () => [];
  const context = {
    name: 'q',
    emit: () => true,
    trace: <T>(_kind: unknown, _operation: string, _destination: string, callback: () => T) => callback(),
    extendJobLocks: (ids: string[]) => {
      renewed.push(ids);
      return answer();
    },
  };
  lockManager = new LockManager(context, { lockRenewTime: RENEW_TIME, lockDuration: 2 * RENEW_TIME } as never);
  renewLocksByTimer({ lockManager } as unknown as Worker);
  lockManager.start();
});
afterEach(async () => {
  await lockManager.close();
  jest.useRealTimers();
});

it.each([-3_600_000, 3_600_000])('a worker renews all locks when its clock is put by %i ms', async (change) => {
  lockManager.trackJob('a', 'token', Date.now());
  jest.setSystemTime(Date.now() + change);
  await jest.advanceTimersByTimeAsync(RENEW_TIME);
  expect(renewed).toEqual([['a'], ['a']]);
});

it('a worker renews the lock of a job whose start is stored by a clock that is ahead', async () => {
  lockManager.trackJob('a', 'token', Date.now() + 86_400_000);
  await jest.advanceTimersByTimeAsync(RENEW_TIME / 2);
  expect(renewed).toEqual([['a']]);
});

it('a worker renews no lock of a job that has ended, and goes on after an error', async () => {
  lockManager.trackJob('a', 'token', Date.now());
  answer = () => Promise.reject(new Error('connect ECONNREFUSED'));
  await jest.advanceTimersByTimeAsync(RENEW_TIME);
  expect(renewed).toEqual([['a'], ['a']]);
  lockManager.untrackJob('a');
  await jest.advanceTimersByTimeAsync(RENEW_TIME * 2);
  expect(renewed).toHaveLength(2);
});
