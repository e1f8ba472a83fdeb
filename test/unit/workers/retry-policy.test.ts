import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { retryDelay } from '../../../lib/workers/retry-policy.js';

const without = { delay: 1_000, max: 600_000, jitter: 0 };

it('an exponential delay doubles up to its maximum', () => {
  const delays = Array.from({ length: 12 }, (_, index) => retryDelay({ type: 'exponential', ...without }, index + 1));
  expect(delays).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600].map((seconds) => seconds * 1_000));
});

it('a fixed delay stays the same', () => {
  expect([1, 2, 50].map((attempt) => retryDelay({ type: 'fixed', ...without }, attempt))).toEqual([
    1_000, 1_000, 1_000,
  ]);
});

it('a delay is never above the delay without jitter, nor below its share that is not random', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1_000 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (attempt, jitter, random) => {
        const full = retryDelay({ type: 'exponential', ...without, jitter: 0 }, attempt);
        const delay = retryDelay({ type: 'exponential', ...without, jitter }, attempt, () => random);
        expect(delay).toBeLessThanOrEqual(full);
        expect(delay).toBeGreaterThanOrEqual(Math.floor(full * (1 - jitter)));
      },
    ),
  );
});
