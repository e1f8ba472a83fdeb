import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { Json } from '../../../lib/engine/json.js';
import { ProgressReporter } from '../../../lib/workers/progress-reporter.js';

const store = jest.fn<(value: Json) => Promise<void>>();
const stored = () => store.mock.calls.map(([value]) => value);
const advance = (milliseconds: number) => jest.advanceTimersByTimeAsync(milliseconds);
let reporter: ProgressReporter;

beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
  store.mockReset().mockResolvedValue();
  reporter = new ProgressReporter(store);
});
afterEach(() => void jest.useRealTimers());

describe('a report', () => {
  it('is stored at once when it is the first', async () => {
    await reporter.report(1);
    expect(stored()).toEqual([1]);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('resolves once it is stored', async () => {
    let finish = () => {};
    store.mockReturnValueOnce(new Promise((resolve) => (finish = resolve)));
    const resolved = jest.fn();
    const report = reporter.report(1).then(resolved);
    await advance(0);
    expect(resolved).not.toHaveBeenCalled();
    finish();
    await report;
    expect(resolved).toHaveBeenCalled();
  });

  it('is stored 50 ms after the one before, and only if no newer one replaces it', async () => {
    await reporter.report(1);
    await reporter.report(2);
    await reporter.report(3);
    await advance(49);
    expect(stored()).toEqual([1]);
    await advance(1);
    expect(stored()).toEqual([1, 3]);
  });

  it('is stored 50 ms after the one before each time', async () => {
    await reporter.report(1);
    await reporter.report(2);
    await advance(50);
    await reporter.report(3);
    await advance(50);
    await reporter.report(4);
    await advance(50);
    expect(stored()).toEqual([1, 2, 3, 4]);
  });

  it('is stored at once when the one before is 50 ms old', async () => {
    await reporter.report(1);
    await advance(50);
    await reporter.report(2);
    expect(stored()).toEqual([1, 2]);
  });

  it.each([0, false, '', null])('may be %j', async (value) => {
    await reporter.report(value);
    expect(stored()).toEqual([value]);
    expect(reporter.isUnused).toBe(false);
  });

  it('is stored at most 20 times a second', async () => {
    for (let row = 0; row < 10_000; row++) {
      void reporter.report(row);
      if (row % 10 === 9) await advance(1);
    }
    await reporter.flush();
    expect(store.mock.calls.length).toBeGreaterThanOrEqual(20);
    expect(store.mock.calls.length).toBeLessThanOrEqual(22);
    expect(stored().at(-1)).toBe(9_999);
  });
});

describe('flush', () => {
  it('stores the last report at once', async () => {
    await reporter.report(1);
    await reporter.report(2);
    await reporter.flush();
    expect(stored()).toEqual([1, 2]);
    expect(jest.getTimerCount()).toBe(0);
    await advance(1_000);
    expect(stored()).toEqual([1, 2]);
  });

  it('waits for a report that is being stored', async () => {
    let finish = () => {};
    store.mockReturnValueOnce(new Promise((resolve) => (finish = resolve)));
    void reporter.report(1);
    const flushed = jest.fn();
    const flush = reporter.flush().then(flushed);
    await advance(0);
    expect(flushed).not.toHaveBeenCalled();
    finish();
    await flush;
    expect(stored()).toEqual([1]);
  });

  it('stores nothing without a report, or a second time', async () => {
    await reporter.flush();
    expect(store).not.toHaveBeenCalled();
    await reporter.report(1);
    await reporter.flush();
    await reporter.flush();
    expect(stored()).toEqual([1]);
  });
});

it('stores one report after the other, however slow the store is', async () => {
  const finish: (() => void)[] = [];
  store.mockImplementation(() => new Promise((resolve) => finish.push(resolve)));
  void reporter.report(1);
  await advance(50);
  void reporter.report(2);
  await advance(50);
  expect(stored()).toEqual([1]);
  finish[0]?.();
  await advance(0);
  expect(stored()).toEqual([1, 2]);
});

describe('a report that cannot be stored', () => {
  const error = new Error('no');

  it('rejects when it was to be stored at once', async () => {
    store.mockRejectedValueOnce(error);
    await expect(reporter.report(1)).rejects.toBe(error);
  });

  it('rejects the flush when it was to be stored later', async () => {
    await reporter.report(1);
    store.mockRejectedValueOnce(error);
    await reporter.report(2);
    await advance(50);
    await expect(reporter.flush()).rejects.toBe(error);
  });

  it('does not keep a later one from being stored', async () => {
    store.mockRejectedValueOnce(error);
    await reporter.report(1).catch(() => undefined);
    await reporter.report(2);
    await reporter.flush();
    expect(stored()).toEqual([1, 2]);
  });
});

it('is unused until the first report', async () => {
  expect(reporter.isUnused).toBe(true);
  await reporter.flush();
  expect(reporter.isUnused).toBe(true);
  await reporter.report(1);
  expect(reporter.isUnused).toBe(false);
});
