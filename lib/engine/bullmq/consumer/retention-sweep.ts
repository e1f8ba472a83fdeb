import type { ConsumerOptions } from '../../ports/worker-port.js';
import type { Driver } from '../driver.js';

type Keep = ConsumerOptions['keep'];
type Store = Pick<Driver, 'jobs' | 'clock' | 'isForbidden'>;

export interface SweepOptions {
  /** Milliseconds. Default: it follows from how long tasks are kept. */
  readonly interval?: number;
  /** Called with an error of a process that may remove nothing. */
  readonly onForbidden?: (error: Error) => void;
}

/** Milliseconds between two sweeps: a quarter of the shortest time that tasks are kept, within these bounds. */
const LONGEST_INTERVAL = 60_000;
const SHORTEST_INTERVAL = 1_000;
/** Tasks removed by one command. Redis does nothing else meanwhile; PostgreSQL takes hardly longer for more. */
const SWEEP_AT_ONCE = 500;

/**
 * Removes final tasks whose time to live is over, at regular intervals, also from a queue without new tasks. A member of a
 * workflow is kept as long as the task that waits for it, or waited. BullMQ's own removal (`keepAge`) runs whenever a job
 * ends, costs PostgreSQL a statement that is planned anew each time, and removes members too.
 *
 * @returns stops the sweeps
 */
export function sweepRegularly(
  store: Store,
  queue: string,
  keep: Keep,
  { interval = intervalFor(keep), onForbidden }: SweepOptions = {},
): () => void {
  const stopped = new AbortController();
  let sweeping = false;
  const timer = setInterval(() => {
    if (sweeping) return;
    sweeping = true;
    sweep(store, queue, keep, { signal: stopped.signal })
      // The sweep was stopped, or the store cannot be reached: the next sweep removes the rest.
      .catch((error: unknown) => {
        if (store.isForbidden(error)) onForbidden?.(error as Error);
      })
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
  store: Store,
  queue: string,
  keep: Keep,
  { atOnce = SWEEP_AT_ONCE, signal }: { atOnce?: number; signal?: AbortSignal } = {},
): Promise<void> {
  for (const [state, life] of [['completed', keep.succeeded] as const, ['failed', keep.failed] as const]) {
    const before = store.clock.now() - life;
    let removed = atOnce;
    while (removed === atOnce) {
      signal?.throwIfAborted();
      removed = await store.jobs.removeEnded(queue, { state, before, atOnce });
    }
  }
}
