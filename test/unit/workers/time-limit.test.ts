import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Interruption } from '../../../lib/engine/interruption.js';
import { TaskTimeoutError } from '../../../lib/errors.js';
import { TimeLimit } from '../../../lib/workers/time-limit.js';

const NOW = Date.UTC(2026, 0, 1);
const NEVER = () => new Promise<never>(() => undefined);
const advance = (milliseconds: number) => jest.advanceTimersByTimeAsync(milliseconds);
/** The context of a task that needs none. */
const inContext = <R>(body: () => R): R => body();

let delivery: Interruption;
let limit: TimeLimit;

beforeEach(() => {
  jest.useFakeTimers({ now: NOW, doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
  delivery = new Interruption();
  limit = new TimeLimit(delivery, 1_000);
});
afterEach(() => {
  limit.clear();
  jest.useRealTimers();
});

/** The ends of a race, as far as it has ended. */
function endsOf(race: Promise<unknown>): unknown[] {
  const ends: unknown[] = [];
  race.then(
    (value) => ends.push(value),
    (error: unknown) => ends.push(error),
  );
  return ends;
}

describe('the deadline', () => {
  it('is the timeout from now', () => {
    expect(limit.deadline).toEqual(new Date(NOW + 1_000));
  });

  it('does not exist without a timeout', async () => {
    const unlimited = new TimeLimit(delivery, undefined);
    await advance(24 * 60 * 60 * 1_000);
    expect(unlimited.deadline).toBeUndefined();
    expect(unlimited.reason).toBeUndefined();
    unlimited.clear();
  });
});

describe('a call', () => {
  it.each<[what: string, call: () => unknown]>([
    ['returns', () => 'done'],
    ['returns later', async () => 'done'],
  ])('that %s gives its result', async (_, call) => {
    expect(await limit.race(call, inContext)).toBe('done');
  });

  it.each<[what: string, call: () => unknown]>([
    [
      'throws',
      () => {
        throw new Error('no');
      },
    ],
    ['throws later', () => Promise.reject(new Error('no'))],
  ])('that %s rejects the race', async (_, call) => {
    await expect(limit.race(call, inContext)).rejects.toThrow('no');
  });

  it('is not made when the attempt has to end already', async () => {
    const reason = new Error('enough');
    delivery.request(reason);
    const call = jest.fn();
    await expect(limit.race(call, inContext)).rejects.toBe(reason);
    expect(call).not.toHaveBeenCalled();
  });
});

describe.each<[what: string, interrupt: () => Promise<void>, reason: unknown]>([
  ['its time is up', () => advance(1_000), expect.any(TaskTimeoutError)],
  ['its delivery is interrupted', async () => delivery.request('enough'), 'enough'],
])('when %s, an attempt', (_, interrupt, reason) => {
  it('has the reason, and its signal is aborted', async () => {
    const { signal } = limit.interruption;
    expect(limit.reason).toBeUndefined();
    await interrupt();
    expect(limit.reason).toEqual(reason);
    expect(signal.aborted).toBe(true);
    expect(signal.reason).toEqual(reason);
  });

  it('may still return its result', async () => {
    let finish = (_value: string) => undefined as void;
    const ends = endsOf(limit.race(() => new Promise<string>((resolve) => (finish = resolve)), inContext));
    await interrupt();
    await advance(249);
    finish('done');
    await advance(1_000);
    expect(ends).toEqual(['done']);
  });

  it('ends with the reason after a quarter of a second, whatever its method still does', async () => {
    const ends = endsOf(limit.race(NEVER, inContext));
    await interrupt();
    await advance(249);
    expect(ends).toEqual([]);
    await advance(1);
    expect(ends).toEqual([reason]);
  });

  it('calls the listeners of its signal in the context of the task', async () => {
    let context: string | undefined;
    const inTask = <R>(body: () => R): R => {
      context = 'task';
      const result = body();
      context = undefined;
      return result;
    };
    const heard: unknown[] = [];
    void endsOf(
      limit.race(() => {
        limit.interruption.signal.addEventListener('abort', () => heard.push(context));
        return NEVER();
      }, inTask),
    );
    await interrupt();
    expect(heard).toEqual(['task']);
  });
});

it('keeps the first reason', async () => {
  delivery.request('enough');
  await advance(1_000);
  expect(limit.reason).toBe('enough');
});

it('says in the error how long the attempt might take', async () => {
  await advance(1_000);
  expect((limit.reason as Error).message).toContain('1000 ms');
});

describe('a timeout that took effect late', () => {
  const late = () => {
    const calls: number[][] = [];
    const blocked = new TimeLimit(delivery, 100, { onLate: (...call) => calls.push(call) });
    return { blocked, calls };
  };
  /** The clock goes on, and no timer fires. */
  const block = (milliseconds: number) => {
    const now = performance.now();
    return jest.spyOn(performance, 'now').mockImplementation(() => now + milliseconds);
  };
  afterEach(() => {
    jest.restoreAllMocks();
  });

  it('is reported once, with the time that the attempt took', () => {
    const { blocked, calls } = late();
    block(450);
    blocked.checkTime();
    blocked.checkTime();
    blocked.clear();
    expect(calls).toEqual([[450, 100]]);
    expect(blocked.reason).toBeInstanceOf(TaskTimeoutError);
  });

  it('is not reported when it was in time, or only as late as timers are', async () => {
    const { blocked, calls } = late();
    await advance(100);
    expect(blocked.reason).toBeInstanceOf(TaskTimeoutError);
    block(450);
    blocked.checkTime();
    blocked.clear();
    expect(calls).toEqual([]);
  });

  it('is not reported when the attempt had to end before', () => {
    const { blocked, calls } = late();
    delivery.request('enough');
    block(450);
    blocked.checkTime();
    blocked.clear();
    expect(calls).toEqual([]);
  });
});

describe('once it is cleared', () => {
  it('is interrupted by nothing', async () => {
    limit.clear();
    delivery.request('enough');
    await advance(5_000);
    expect(limit.reason).toBeUndefined();
  });

  it.each([
    ['before an interruption', () => undefined],
    ['after an interruption', () => delivery.request('enough')],
  ])('has no timer left, %s', async (_, arrange) => {
    const ends = endsOf(limit.race(NEVER, inContext));
    arrange();
    limit.clear();
    expect(jest.getTimerCount()).toBe(0);
    await advance(5_000);
    expect(ends).toEqual([]);
  });
});
