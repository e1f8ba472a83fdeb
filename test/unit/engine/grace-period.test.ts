import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { GracePeriod } from '../../../lib/engine/grace-period.js';

const NEVER = new Promise<never>(() => undefined);
const advance = (milliseconds: number) => jest.advanceTimersByTimeAsync(milliseconds);

beforeEach(() => void jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] }));
afterEach(() => void jest.useRealTimers());

/** What a period says about a promise, once it has said it. */
function answerOf(answer: Promise<boolean>): { value?: boolean } {
  const answered: { value?: boolean } = {};
  void answer.then((value) => (answered.value = value));
  return answered;
}

it('covers a promise that is fulfilled in time, and leaves no timer', async () => {
  const period = new GracePeriod();
  period.limit(1_000);
  expect(jest.getTimerCount()).toBe(0);
  expect(await period.covers(Promise.resolve())).toBe(true);
  period.limit(10);
  expect(jest.getTimerCount()).toBe(0);
});

it('ends at the earliest of its limits, also when that is set while a promise is waited for', async () => {
  const period = new GracePeriod();
  period.limit(Infinity);
  const answer = answerOf(period.covers(NEVER));
  await advance(60_000);
  period.limit(1_000);
  period.limit(5_000);
  await advance(999);
  expect(answer).toEqual({});
  await advance(1);
  expect(answer).toEqual({ value: false });
  expect(jest.getTimerCount()).toBe(0);
});
