import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { TakenAhead } from '../../../../../lib/engine/bullmq/lane/taken-ahead.js';

let giveBack: jest.Mock<(id: string, token: string) => Promise<unknown>>;
let ahead: TakenAhead;

beforeEach(() => {
  jest.useFakeTimers();
  giveBack = jest.fn<typeof giveBack>().mockResolvedValue(undefined);
  ahead = new TakenAhead(giveBack);
  ahead.add('worker:3', [{ id: 'a' }, 'a', 0, 0]);
  ahead.add('worker:4', [{ id: 'b' }, 'b', 0, 0]);
});
afterEach(() => void jest.useRealTimers());

it('hands each job out once, under its token', () => {
  expect(ahead.hand('worker:2')).toBeUndefined();
  expect(ahead.hand('worker:3')).toEqual([{ id: 'a' }, 'a', 0, 0]);
  expect(ahead.hand('worker:3')).toBeUndefined();
  expect(ahead.isEmpty).toBe(false);
  ahead.hand('worker:4');
  expect(ahead.isEmpty).toBe(true);
  expect(jest.getTimerCount()).toBe(0);
});

it('gives back a job that the worker does not ask for', async () => {
  ahead.hand('worker:3');
  await jest.advanceTimersByTimeAsync(1_000);
  expect(giveBack.mock.calls).toEqual([['b', 'worker:4']]);
  expect(ahead.hand('worker:4')).toBeUndefined();
});

it('gives all jobs back when the worker closes, also when one cannot be given back', async () => {
  giveBack.mockRejectedValueOnce(new Error('Missing lock for job a. moveJobFromActiveToWait'));
  await ahead.clear();
  expect(giveBack).toHaveBeenCalledTimes(2);
  expect([ahead.isEmpty, jest.getTimerCount()]).toEqual([true, 0]);
});
