import type { IQueueBackend } from 'bullmq';
import type { ConsumerOptions } from '../../engine.js';

type Keep = ConsumerOptions['keep'];

/** Once a minute; more often where tasks are kept for minutes only, so that few are there beyond their time. */
const LONGEST_INTERVAL = 60_000;
const SHORTEST_INTERVAL = 1_000;
/** Redis does nothing else while it removes them; PostgreSQL takes hardly longer for more. */
const SWEEP_AT_ONCE = 500;

/**
 * Removes ended tasks when their time is over, also from a queue that went quiet. BullMQ would look for such tasks each
 * time that another one ends; PostgreSQL plans that statement anew each time.
 *
 * @returns what ends it
 */
export function sweepRegularly(backend: IQueueBackend, keep: Keep, interval = intervalFor(keep)): () => void {
  const stopped = new AbortController();
  let sweeping = false;
  const timer = setInterval(() => {
    if (sweeping) return;
    sweeping = true;
    sweep(backend, keep, { signal: stopped.signal })
      // Stopped, or out of reach: swept the next time.
      .catch(() => undefined)
      .finally(() => (sweeping = false));
  }, interval).unref();
  return () => {
    stopped.abort();
    clearInterval(timer);
  };
}

function intervalFor({ succeeded, failed }: Keep): number {
  return Math.min(LONGEST_INTERVAL, Math.max(SHORTEST_INTERVAL, Math.min(succeeded, failed) / 4));
}

/**
 * Removes all whose time is over now, however many they are.
 *
 * @param options.atOnce how many in one command, during which other commands wait; default 500
 * @param options.signal no further command follows once it is aborted
 * @throws the signal's reason, and what the store answers
 */
export async function sweep(
  backend: IQueueBackend,
  keep: Keep,
  { atOnce = SWEEP_AT_ONCE, signal }: { atOnce?: number; signal?: AbortSignal } = {},
): Promise<void> {
  for (const [state, life] of [['completed', keep.succeeded] as const, ['failed', keep.failed] as const]) {
    const endedBefore = Date.now() - life;
    // BullMQ writes an event for each command, also for one that finds nothing to remove.
    let removed = (await oldestEnd(backend, state)) <= endedBefore ? atOnce : 0;
    while (removed === atOnce) {
      signal?.throwIfAborted();
      removed = (await backend.cleanJobsByState(state, endedBefore, atOnce)).length;
    }
  }
}

async function oldestEnd(backend: IQueueBackend, state: 'completed' | 'failed'): Promise<number> {
  const [id] = (await backend.getRanges([state], 0, 0, true)).flat();
  if (id === undefined) return Infinity;
  return (await backend.getJobData(id))?.finishedOn ?? 0;
}
