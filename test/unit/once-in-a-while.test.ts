import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { OnceInAWhile } from '../../lib/once-in-a-while.js';

let now = 0;
beforeEach(() => {
  now = 1_000;
  jest.spyOn(performance, 'now').mockImplementation(() => now);
});
afterEach(() => void jest.restoreAllMocks());

it('a text is due again once the pause is over', () => {
  const lines = new OnceInAWhile(100, 10);
  expect([lines.isDue('a'), lines.isDue('a'), lines.isDue('b')]).toEqual([true, false, true]);
  now += 99;
  expect(lines.isDue('a')).toBe(false);
  now += 1;
  expect(lines.isDue('a')).toBe(true);
});

it('no more texts are due than there may be in a while', () => {
  const lines = new OnceInAWhile(100, 3);
  const due = () => Array.from({ length: 100_000 }, (_, n) => lines.isDue(`text ${n}`)).filter(Boolean).length;
  expect(due()).toBe(3);
  now += 100;
  expect(due()).toBe(3);
});
