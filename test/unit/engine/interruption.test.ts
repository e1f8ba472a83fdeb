import { expect, it } from '@jest/globals';
import { Interruption } from '../../../lib/engine/interruption.js';

it('aborts a signal that was asked for before, and one that is asked for afterwards', () => {
  const interruption = new Interruption();
  const before = interruption.signal;
  expect(before.aborted).toBe(false);
  const reason = new Error('enough');
  interruption.request(reason);
  expect(before.reason).toBe(reason);
  expect(interruption.signal).toBe(before);

  const unseen = new Interruption();
  unseen.request(reason);
  expect(unseen.signal.reason).toBe(reason);
});

it('keeps the first reason and tells each listener once', () => {
  const interruption = new Interruption();
  const heard: unknown[] = [];
  interruption.onRequest(() => heard.push(['first', interruption.reason]));
  const forget = interruption.onRequest(() => heard.push('never'));
  forget();
  expect(interruption.isRequested).toBe(false);
  interruption.request('enough');
  interruption.request('more');
  interruption.onRequest(() => heard.push(['late', interruption.reason]));
  expect(heard).toEqual([
    ['first', 'enough'],
    ['late', 'enough'],
  ]);
});
