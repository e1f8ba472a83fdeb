import { describe, expect, it } from '@jest/globals';
import { queuedSince } from '../../../../../lib/engine/bullmq/jobs/queued-since.js';

const job = (timestamp: unknown, delay?: unknown, processedOn: unknown = null) => {
  return { timestamp, delay, processedOn };
};

describe('queuedSince', () => {
  it('is the time at which the first job was added, was due or last began', () => {
    expect(queuedSince([])).toBeNull();
    expect(queuedSince([job('2000'), job(1_000)])).toBe(1_000);
    expect(queuedSince([job('1000', 500)])).toBe(1_500);
    expect(queuedSince([job('1000', 500, '1800')])).toBe(1_800);
  });

  it('takes nothing from fields in which something else stands', () => {
    expect(queuedSince([job('x'), job(null), job('9'.repeat(30)), job(5_000, 1e300, {})])).toBe(5_000);
    expect(queuedSince([job(undefined, undefined, 'x')])).toBeNull();
  });
});
