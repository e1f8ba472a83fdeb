import type { IQueueBackend } from 'bullmq';
import type { ConsumerOptions } from '../../ports/worker-port.js';
import type { Clock } from '../clock.js';

type Keep = ConsumerOptions['keep'];

/** Milliseconds between two sweeps: a quarter of the shortest time that tasks are kept, within these bounds. */
const LONGEST_INTERVAL = 60_000;
const SHORTEST_INTERVAL = 1_000;
/** Tasks removed by one command. Redis does nothing else meanwhile; PostgreSQL takes hardly longer for more. */
const SWEEP_AT_ONCE = 500;

/**
 * Removes final tasks whose time to live is over, at regular intervals, also from a queue without new tasks. BullMQ's own
 * removal (`keepAge`) runs whenever a job ends and costs PostgreSQL a statement that is planned anew each time.
 *
 * @returns stops the sweeps
 */
export function sweepRegularly(
  backend: IQueueBackend,
  keep: Keep,
  clock: Pick<Clock, 'now'>,
  interval = intervalFor(keep),
): () => void {
  const stopped = new AbortController();
  let sweeping = false;
  const timer = setInterval(() => {
    if (sweeping) return;
    sweeping = true;
    sweep(backend, keep, clock, { signal: stopped.signal })
      // The sweep was stopped, or the store cannot be reached: the next sweep removes the rest.
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
 * Removes all final tasks whose time to live is over now.
 *
 * @param options.atOnce tasks removed by one command, during which other commands wait; default 500
 * @param options.signal once it is aborted, no further command follows
 * @throws the signal's reason, or the store's error
 */
export async function sweep(
  backend: IQueueBackend,
  keep: Keep,
  clock: Pick<Clock, 'now'>,
  { atOnce = SWEEP_AT_ONCE, signal }: { atOnce?: number; signal?: AbortSignal } = {},
): Promise<void> {
  for (const [state, life] of [['completed', keep.succeeded] as const, ['failed', keep.failed] as const]) {
    const endedBefore = clock.now() - life;
    // BullMQ writes an event for each command, also for one that removes nothing.
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
