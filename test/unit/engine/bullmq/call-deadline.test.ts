import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import {
  CallDeadline,
  PoolDeadline,
  TooLateError,
  type CheckDeadline,
} from '../../../../lib/engine/bullmq/call-deadline.js';

const NEVER = new Promise<never>(() => undefined);
const advance = (milliseconds: number) => jest.advanceTimersByTimeAsync(milliseconds);

beforeEach(() => void jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] }));
afterEach(() => void jest.useRealTimers());

describe.each([CallDeadline, PoolDeadline])('%p', (Deadline) => {
  const soon = () => performance.now() + 1_000;

  it('gives the result of a call that ends in time', async () => {
    expect(await new Deadline().limit(soon(), async () => 'done')).toBe('done');
    expect(jest.getTimerCount()).toBe(0);
  });

  it('throws the error of a call that fails in time', async () => {
    const error = new Error('no');
    await expect(new Deadline().limit(soon(), () => Promise.reject(error))).rejects.toBe(error);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('throws TooLateError at the deadline, and not before', async () => {
    const ended = jest.fn();
    new Deadline().limit(soon(), () => NEVER).catch(ended);
    await advance(999);
    expect(ended).not.toHaveBeenCalled();
    await advance(1);
    expect(ended.mock.calls).toEqual([[expect.any(TooLateError)]]);
  });

  it('throws TooLateError for a deadline that has passed', async () => {
    const ended = jest.fn();
    new Deadline().limit(performance.now() - 5, () => NEVER).catch(ended);
    await advance(1);
    expect(ended.mock.calls).toEqual([[expect.any(TooLateError)]]);
  });

  it('ignores what a call gives after its deadline', async () => {
    let finish = () => {};
    const [ended, failed] = [jest.fn(), jest.fn()];
    new Deadline().limit(soon(), () => new Promise<void>((resolve) => (finish = resolve))).then(ended, failed);
    await advance(1_000);
    finish();
    await advance(0);
    expect(ended).not.toHaveBeenCalled();
    expect(failed.mock.calls).toEqual([[expect.any(TooLateError)]]);
  });

  it('lets a call check whether its deadline has passed', async () => {
    let check: CheckDeadline = () => undefined;
    new Deadline()
      .limit(soon(), (checkDeadline) => {
        check = checkDeadline;
        return NEVER;
      })
      .catch(() => undefined);
    await advance(999);
    expect(check).not.toThrow();
    await advance(1);
    expect(check).toThrow(TooLateError);
  });
});

it('a call that throws at once is rejected, and leaves no timer', async () => {
  const call = () => {
    throw new Error('no connection');
  };
  await expect(new CallDeadline().limit(Date.now() + 1_000, call)).rejects.toThrow('no connection');
  expect(jest.getTimerCount()).toBe(0);
});

describe('PoolDeadline', () => {
  let deadline: PoolDeadline;

  beforeEach(() => void (deadline = new PoolDeadline()));

  it('limits nothing outside of a call', async () => {
    const end = jest.fn();
    expect(() => deadline.check()).not.toThrow();
    deadline.whenOver(end);
    await advance(60_000);
    expect(end).not.toHaveBeenCalled();
    expect(jest.getTimerCount()).toBe(0);
  });

  it('knows the deadline in everything that a call awaits, without being handed on', async () => {
    const checks: boolean[] = [];
    const call = deadline.limit(performance.now() + 1_000, async () => {
      const passed = () => {
        try {
          deadline.check();
          return false;
        } catch (error) {
          return error instanceof TooLateError;
        }
      };
      await Promise.resolve();
      checks.push(passed());
      jest.advanceTimersByTime(1_000);
      await Promise.resolve();
      checks.push(passed());
    });
    await expect(call).rejects.toThrow(TooLateError);
    await advance(0);
    expect(checks).toEqual([false, true]);
  });

  it('knows the deadline of each of several calls at the same time', async () => {
    const checks: string[] = [];
    const call = (name: string, life: number) =>
      deadline.limit(performance.now() + life, async () => {
        await Promise.resolve();
        deadline.whenOver(() => checks.push(name));
        return NEVER;
      });
    call('long', 200).catch(() => undefined);
    call('short', 100).catch(() => undefined);
    await advance(199);
    expect(checks).toEqual(['short']);
    await advance(1);
    expect(checks).toEqual(['short', 'long']);
  });

  it('calls back when the time of the call is up, unless the caller lost interest', async () => {
    const [end, ended] = [jest.fn(), jest.fn()];
    deadline
      .limit(performance.now() + 1_000, async () => {
        deadline.whenOver(end);
        deadline.whenOver(ended)();
        return NEVER;
      })
      .catch(() => undefined);
    await advance(999);
    expect(end).not.toHaveBeenCalled();
    await advance(1);
    expect(end).toHaveBeenCalledTimes(1);
    expect(ended).not.toHaveBeenCalled();
  });
});
