import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { endsWithin, inBatches } from '../../lib/concurrency.js';

describe('inBatches', () => {
  it.each([
    [0, []],
    [1, [1]],
    [3, [3]],
    [4, [3, 1]],
    [7, [3, 3, 1]],
  ])('runs %d items, three at once, in batches of %j', async (count, sizes) => {
    const items = Array.from({ length: count }, (_, index) => index);
    const batches: number[] = [];
    let running = 0;
    const results = await inBatches(items, 3, async (item) => {
      running++;
      await new Promise(setImmediate);
      if (running > 0) batches.push(running);
      running = 0;
      return item * 10;
    });
    expect(batches).toEqual(sizes);
    expect(results).toEqual(items.map((item) => item * 10));
  });

  it('gives the answers in the order of the items, whatever the order in which they come', async () => {
    const answers: ((answer: string) => void)[] = [];
    const results = inBatches(['a', 'b', 'c'], 3, () => new Promise<string>((resolve) => answers.push(resolve)));
    for (const index of [2, 0, 1]) answers[index]?.(`answer ${index}`);
    expect(await results).toEqual(['answer 0', 'answer 1', 'answer 2']);
  });

  it('throws the first error, and begins no other batch', async () => {
    const run = jest.fn(async (item: number) => {
      if (item === 1) throw new Error('no');
    });
    await expect(inBatches([0, 1, 2, 3], 2, run)).rejects.toThrow('no');
    expect(run.mock.calls.map(([item]) => item)).toEqual([0, 1]);
  });
});

describe('endsWithin', () => {
  beforeEach(() => void jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] }));
  afterEach(() => void jest.useRealTimers());

  const after = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds));

  it.each([
    [999, true],
    [1_001, false],
  ])('of a promise that is fulfilled after %d of 1000 ms is %p', async (milliseconds, ends) => {
    const ended = endsWithin(after(milliseconds), 1_000);
    await jest.advanceTimersByTimeAsync(1_000);
    expect(await ended).toBe(ends);
  });

  it.each([undefined, false, 0])('is true also of a promise that is fulfilled with %p', async (value) => {
    expect(await endsWithin(Promise.resolve(value), 1_000)).toBe(true);
  });

  it('throws the reason of a promise that is rejected in time', async () => {
    const reason = new Error('no');
    await expect(endsWithin(Promise.reject(reason), 1_000)).rejects.toBe(reason);
  });

  it('does not throw the reason of a promise that is rejected later', async () => {
    const late = after(2_000).then(() => Promise.reject(new Error('no')));
    const ended = endsWithin(late, 1_000);
    await jest.advanceTimersByTimeAsync(2_000);
    expect(await ended).toBe(false);
  });

  it('leaves no timer behind', async () => {
    await endsWithin(Promise.resolve(), 1_000);
    await endsWithin(Promise.reject(new Error('no')), 1_000).catch(() => undefined);
    expect(jest.getTimerCount()).toBe(0);
  });
});
