import type { Contender } from './contender.js';

/** Makes a contender that only works for another contender and is not measured. */
export function helper(close: () => Promise<void>, more: Partial<Contender> = {}): Contender {
  return { round: async () => ({}), close, ...more };
}
