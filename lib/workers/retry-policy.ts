import type { Backoff } from '../engine/task.js';

/**
 * How long to wait after failed attempt number `attempt` (1 for the first), in milliseconds. Exponential waits double up
 * to `max`; the part `jitter` of each is random, so that tasks which failed together do not all come back together.
 */
export function retryDelay(
  { type, delay, max, jitter }: Backoff,
  attempt: number,
  random: () => number = Math.random,
): number {
  const full = Math.min(type === 'fixed' ? delay : delay * 2 ** (attempt - 1), max);
  return Math.round(full * (1 - jitter * random()));
}
