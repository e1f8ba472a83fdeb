import { expect, it } from '@jest/globals';
import { Interruption } from '../../../lib/engine/interruption.js';

it('aborts a signal that was asked for before, and one that is asked for afterwards', () => {
  const interruption = new Interruption();
  const before = interruption.signal;
  expect(before.aborted).toBe(false);
  const reason = new Error('enough');
  interruption.want(reason);
  expect(before.reason).toBe(reason);
  expect(interruption.signal).toBe(before);

  const unseen = new Interruption();
  unseen.want(reason);
  expect(unseen.signal.reason).toBe(reason);
});

it('keeps the first reason and tells each listener once', () => {
  const interruption = new Interruption();
  const heard: unknown[] = [];
  interruption.whenWanted(() => heard.push(['first', interruption.reason]));
  const forget = interruption.whenWanted(() => heard.push('never'));
  forget();
  expect(interruption.isWanted).toBe(false);
  interruption.want('enough');
  interruption.want('more');
  interruption.whenWanted(() => heard.push(['late', interruption.reason]));
  expect(heard).toEqual([
    ['first', 'enough'],
    ['late', 'enough'],
  ]);
});
