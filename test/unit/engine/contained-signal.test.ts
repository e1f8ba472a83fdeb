import { once } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import { runInNewContext } from 'node:vm';
import { describe, expect, it, jest } from '@jest/globals';
import { containListeners } from '../../../lib/engine/contained-signal.js';

/** Sets the handler that EventTarget keeps beside the listeners. Code that was written for browsers uses it. */
const listenWithProperty = (signal: AbortSignal, onabort: () => void) => Object.assign(signal, { onabort });

describe('the listeners of a contained signal', () => {
  const create = () => {
    const controller = new AbortController();
    const onError = jest.fn();
    return { controller, onError, signal: containListeners(controller.signal, onError) };
  };
  const failure = new Error('from a listener');

  it.each<[string, (signal: AbortSignal) => void]>([
    [
      'a function',
      (signal) =>
        signal.addEventListener('abort', () => {
          throw failure;
        }),
    ],
    [
      'an object',
      (signal) =>
        signal.addEventListener('abort', {
          handleEvent: () => {
            throw failure;
          },
        }),
    ],
    [
      'onabort',
      (signal) =>
        listenWithProperty(signal, () => {
          throw failure;
        }),
    ],
  ])('hand what %s throws to onError', (_, listen) => {
    const { controller, onError, signal } = create();
    listen(signal);
    controller.abort('stop');
    expect(onError.mock.calls).toEqual([[failure]]);
  });

  it('hand a rejection of an asynchronous listener to onError', async () => {
    const { controller, onError, signal } = create();
    const listener: () => unknown = async () => {
      throw failure;
    };
    signal.addEventListener('abort', listener);
    controller.abort();
    await Promise.resolve();
    await Promise.resolve();
    expect(onError.mock.calls).toEqual([[failure]]);
  });

  it('hand a rejection of a promise that is none of this realm to onError', async () => {
    const { controller, onError, signal } = create();
    const rejectElsewhere = runInNewContext('(error) => Promise.reject(error)') as (error: Error) => unknown;
    signal.addEventListener('abort', () => rejectElsewhere(failure));
    controller.abort();
    await new Promise(setImmediate);
    expect(onError.mock.calls).toEqual([[failure]]);
  });

  it('are called once, with the event and the reason, and can be removed', () => {
    const { controller, signal } = create();
    const [kept, removed] = [jest.fn(), jest.fn()];
    signal.addEventListener('abort', kept, { once: true });
    signal.addEventListener('abort', removed);
    signal.removeEventListener('abort', removed);
    controller.abort('stop');
    expect(kept).toHaveBeenCalledTimes(1);
    expect(kept.mock.calls[0]?.[0]).toMatchObject({ type: 'abort' });
    expect(removed).not.toHaveBeenCalled();
    expect(signal.reason).toBe('stop');
  });

  it('of onabort are replaced by the next value', () => {
    const { controller, signal } = create();
    const [first, second] = [jest.fn(), jest.fn()];
    listenWithProperty(signal, first);
    listenWithProperty(signal, second);
    expect(signal.onabort).toBe(second);
    controller.abort();
    expect(first).not.toHaveBeenCalled();
    expect(second).toHaveBeenCalledTimes(1);
  });

  it("are those of Node's own functions too", async () => {
    const { controller, signal } = create();
    const waiting = wait(60_000, undefined, { signal });
    const event = once(signal, 'abort');
    const any = AbortSignal.any([signal]);
    controller.abort('stop');
    await expect(waiting).rejects.toMatchObject({ name: 'AbortError' });
    await event;
    expect(any.aborted).toBe(true);
  });
});
