import { describe, expect, it, jest } from '@jest/globals';
import { setImmediate as turn } from 'node:timers/promises';
import { abortContained } from '../../../lib/engine/contained-abort.js';

// Under Jest `process` is a copy, which Node itself does not use: what a signal throws again is tested in a process of its own, in
// test/contract/signal-listeners.test.ts.
describe('abortContained()', () => {
  const failure = new Error('from a tick');
  const create = () => {
    const controller = new AbortController();
    const onError = jest.fn();
    return { controller, onError, abort: () => abortContained(controller, 'stop', onError) };
  };

  it('aborts with the reason', () => {
    const { controller, onError, abort } = create();
    abort();
    expect(controller.signal.reason).toBe('stop');
    expect(onError).not.toHaveBeenCalled();
  });

  it('hands the error of a callback of process.nextTick() to onError, and runs the others', async () => {
    const { controller, onError, abort } = create();
    const ran: unknown[] = [];
    controller.signal.addEventListener('abort', () => {
      process.nextTick(() => {
        throw failure;
      });
      process.nextTick((...args: unknown[]) => void ran.push(args), 1, 2);
    });
    abort();
    expect(ran).toEqual([]);
    await turn();
    expect(onError.mock.calls).toEqual([[failure]]);
    expect(ran).toEqual([[1, 2]]);
  });

  it('leaves a callback that is none to process.nextTick()', () => {
    const { controller, abort } = create();
    const errors: unknown[] = [];
    controller.signal.addEventListener('abort', () => {
      try {
        process.nextTick('no function' as never);
      } catch (error) {
        errors.push(error);
      }
    });
    abort();
    expect(errors).toEqual([expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' })]);
  });

  it('restores process.nextTick, also behind an abort inside of an abort', async () => {
    const before = process.nextTick;
    const [outer, inner] = [create(), create()];
    outer.controller.signal.addEventListener('abort', () => {
      inner.abort();
      process.nextTick(() => {
        throw failure;
      });
    });
    outer.abort();
    expect(process.nextTick).toBe(before);
    await turn();
    expect(outer.onError.mock.calls).toEqual([[failure]]);
    expect(inner.onError).not.toHaveBeenCalled();
  });

  it('leaves a process.nextTick that a listener has put there, and contains nothing that comes later', () => {
    const { controller, abort } = create();
    const { nextTick } = process;
    const [given, own] = [jest.fn(), jest.fn()];
    let during: typeof nextTick | undefined;
    process.nextTick = given;
    try {
      controller.signal.addEventListener('abort', () => {
        during = process.nextTick;
        process.nextTick = own;
      });
      abort();
      expect(process.nextTick).toBe(own);
      const callback = () => undefined;
      during?.(callback);
      expect(given.mock.calls).toEqual([[callback]]);
      expect(given.mock.calls[0]?.[0]).toBe(callback);
    } finally {
      process.nextTick = nextTick;
    }
  });
});
