import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { Worker } from 'bullmq';
import { pauseNoLongerThanWorker } from '../../../../lib/engine/bullmq/patched-stalled-check.js';

const INTERVAL = 1_000;

/** The parts of BullMQ's worker that its search for stalled jobs uses. */
interface Checker {
  closing: boolean;
  stalledChecker(generation: number): Promise<void>;
  stalledCheckStopper(): void;
}

const errors: string[] = [];
let searches: number;
let checker: Checker;

beforeEach(() => {
  jest.useFakeTimers();
  errors.length = 0;
  searches = 0;
  const worker = Object.assign(Object.create(Worker.prototype), {
    opts: { stalledInterval: INTERVAL },
    stalledCheckerGeneration: 1,
    moveStalledJobsToWait: async () => {
      searches++;
      throw new Error('permission denied for table job');
    },
    emit: (_event: string, error: Error) => errors.push(error.message),
  });
  pauseNoLongerThanWorker(worker);
  checker = worker;
});
afterEach(() => {
  jest.useRealTimers();
});

it('a worker whose search for stalled jobs is refused says so, and searches again after its interval', async () => {
  const run = checker.stalledChecker(1);
  await jest.advanceTimersByTimeAsync(0);
  expect(errors).toEqual(['permission denied for table job']);
  await jest.advanceTimersByTimeAsync(INTERVAL);
  expect(searches).toBe(2);
  checker.closing = true;
  checker.stalledCheckStopper();
  await run;
});

it('a worker that closes after its search was refused leaves no timer', async () => {
  const run = checker.stalledChecker(1);
  await jest.advanceTimersByTimeAsync(0);
  checker.closing = true;
  checker.stalledCheckStopper();
  await run;
  expect(jest.getTimerCount()).toBe(0);
});
