import { expect, it } from '@jest/globals';
import { Interruption } from '../../../lib/engine/interruption.js';

it('a request aborts the signal, whether it was read before or is read afterwards', () => {
  const interruption = new Interruption();
  const before = interruption.signal;
  expect(before.aborted).toBe(false);
  const reason = new Error('enough');
  interruption.request(reason);
  expect(before.reason).toBe(reason);
  expect(interruption.signal).toBe(before);

  const unread = new Interruption();
  unread.request(reason);
  expect(unread.signal.reason).toBe(reason);
});

it('an interruption keeps the first reason and calls each listener once', () => {
  const interruption = new Interruption();
  const calls: unknown[] = [];
  interruption.onRequest(() => calls.push(['first', interruption.reason]));
  const removeListener = interruption.onRequest(() => calls.push('never'));
  removeListener();
  expect(interruption.isRequested).toBe(false);
  interruption.request('enough');
  interruption.request('more');
  interruption.onRequest(() => calls.push(['late', interruption.reason]));
  expect(calls).toEqual([
    ['first', 'enough'],
    ['late', 'enough'],
  ]);
});
