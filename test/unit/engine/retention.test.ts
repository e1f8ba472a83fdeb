import { describe, expect, it } from '@jest/globals';
import { timeToLive } from '../../../lib/engine/retention.js';
import type { TaskState } from '../../../lib/engine/task.js';

const RETENTION = { ttl: 60_000, failedTtl: 600_000 };

describe('the time to live of a record', () => {
  it.each<[state: TaskState, what: string, resultTtl: number | undefined, milliseconds: number]>([
    ['succeeded', 'the ttl of results', undefined, 60_000],
    ['succeeded', "the task's own resultTtl, shorter", 5, 5],
    ['succeeded', "the task's own resultTtl, longer", 900_000, 900_000],
    ['failed', 'the failedTtl', undefined, 600_000],
    ['failed', "the failedTtl, which is longer than the task's own", 5, 600_000],
    ['failed', "the task's own, which is longer than the failedTtl", 900_000, 900_000],
    ['cancelled', 'the failedTtl', undefined, 600_000],
    ['expired', 'the failedTtl', 5, 600_000],
  ])('is for a %s task %s', (state, _, resultTtl, milliseconds) => {
    expect(timeToLive(state, resultTtl, RETENTION)).toBe(milliseconds);
  });
});
