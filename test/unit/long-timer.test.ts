import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { LongTimer } from '../../lib/long-timer.js';

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

const DAY = 86_400_000;

it.each([0, 1, 20 * DAY, 2 ** 31 - 1, 2 ** 31, 60 * DAY])(
  'a LongTimer calls back once, after %d ms',
  (milliseconds) => {
    const callback = jest.fn();
    const timer = new LongTimer(callback, milliseconds);
    if (milliseconds > 0) {
      jest.advanceTimersByTime(milliseconds - 1);
      expect(callback).not.toHaveBeenCalled();
    }
    jest.advanceTimersByTime(1);
    expect(callback).toHaveBeenCalledTimes(1);
    jest.advanceTimersByTime(60 * DAY);
    timer.clear();
    expect(callback).toHaveBeenCalledTimes(1);
  },
);

it.each([0, 40 * DAY])('a LongTimer that is cleared after %d ms never calls back', (after) => {
  const callback = jest.fn();
  const timer = new LongTimer(callback, 60 * DAY);
  jest.advanceTimersByTime(after);
  timer.clear();
  expect(jest.getTimerCount()).toBe(0);
});
