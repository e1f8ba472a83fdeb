import { beforeEach, expect, it } from '@jest/globals';
import { RecentChanges } from '../../../../../lib/engine/bullmq/changes/recent-changes.js';

let changes: RecentChanges;
beforeEach(() => void (changes = new RecentChanges()));

it.each([
  [0, true],
  [1, true],
  [2, false],
])('after %d periods, whether it knows a change is %p', (periods, known) => {
  changes.add('q.1', true);
  for (let period = 0; period < periods; period++) changes.age();
  expect(changes.has('q.1', false)).toBe(known);
  expect(changes.has('q.1', true)).toBe(known);
});

it('tells ends from other changes', () => {
  changes.add('q.1', false);
  expect(changes.has('q.1', false)).toBe(true);
  expect(changes.has('q.1', true)).toBe(false);
});

it.each([
  ['in the same period', 0],
  ['in the next period', 1],
])('knows an end also after a further change %s', (_, periods) => {
  changes.add('q.1', true);
  for (let period = 0; period < periods; period++) changes.age();
  changes.add('q.1', false);
  expect(changes.has('q.1', true)).toBe(true);
});
