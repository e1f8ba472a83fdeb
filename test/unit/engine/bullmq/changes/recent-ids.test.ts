import { beforeEach, expect, it } from '@jest/globals';
import { RecentIds } from '../../../../../lib/engine/bullmq/changes/recent-ids.js';

let ids: RecentIds;

beforeEach(() => void (ids = new RecentIds()));

it('has no id at the beginning', () => {
  expect(ids.isEmpty).toBe(true);
  expect(ids.has('q.1')).toBe(false);
});

it.each([
  [0, true],
  [1, true],
  [2, false],
])('after %d periods, whether it has an id is %p', (periods, known) => {
  ids.add('q.1');
  for (let period = 0; period < periods; period++) ids.age();
  expect(ids.has('q.1')).toBe(known);
  expect(ids.isEmpty).toBe(!known);
});

it('keeps an id that is added again for as long as a new one', () => {
  ids.add('q.1');
  ids.age();
  ids.add('q.1');
  ids.age();
  expect(ids.has('q.1')).toBe(true);
  ids.age();
  expect(ids.has('q.1')).toBe(false);
});

it.each([0, 1])('deletes an id that was added %d periods ago, and no other', (periods) => {
  ids.add('q.1');
  ids.add('q.2');
  for (let period = 0; period < periods; period++) ids.age();
  ids.delete('q.1');
  expect([ids.has('q.1'), ids.has('q.2')]).toEqual([false, true]);
});
