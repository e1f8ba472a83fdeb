import type { Backoff } from '../engine/task.js';

/**
 * The milliseconds to wait before the next attempt. Exponential waits double up to `max`. The share `jitter` of each
 * wait is random, so that tasks that failed together do not all run again together.
 *
 * @param attempt the number of the attempt that failed, 1 for the first
 */
export function retryDelay(
  { type, delay, max, jitter }: Backoff,
  attempt: number,
  random: () => number = Math.random,
): number {
  const full = Math.min(type === 'fixed' ? delay : delay * 2 ** (attempt - 1), max);
  return Math.round(full * (1 - jitter * random()));
}
