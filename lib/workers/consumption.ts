import { isAlive, type WorkerRecord } from '../engine/ports/worker-registry.js';

/** What a probe found out about a queue: `undefined` when it is consumed, otherwise why it is not. */
export type Problem = string | undefined;

/**
 * Whether this process consumes one of its own queues.
 *
 * @param silence milliseconds, see `Consumer.silentFor`
 * @param limit milliseconds
 */
export function problemHere(silence: number, limit: number): Problem {
  if (silence <= limit) return undefined;
  if (silence === Infinity) return 'This process does not take tasks.';
  return `No request of this process for a task has succeeded for ${Math.round(silence / 1_000)} s.`;
}

/**
 * Whether a live worker consumes a queue. A worker whose process runs and that takes nothing does not count.
 *
 * @param now the time of the store's clock
 */
export function problemElsewhere(queue: string, workers: readonly WorkerRecord[], now: number): Problem {
  const ofQueue = workers.filter((worker) => worker.queues.includes(queue) && isAlive(worker, now));
  if (ofQueue.length === 0) return 'No live worker takes tasks from this queue.';
  if (ofQueue.every(({ load }) => load?.silentQueues?.includes(queue)))
    return `The queue has ${ofQueue.length} live worker${ofQueue.length > 1 ? 's' : ''}, and none takes tasks from it.`;
  return undefined;
}
