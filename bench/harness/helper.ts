import type { Contender } from './contender.js';

/** A contender that only works for another, and is measured by nobody. */
export function helper(close: () => Promise<void>, more: Partial<Contender> = {}): Contender {
  return { round: async () => ({}), close, ...more };
}
