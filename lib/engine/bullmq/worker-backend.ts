import { setImmediate as nextTurn } from 'node:timers/promises';
import type { IQueueBackend } from 'bullmq';
import { bullmq } from './bullmq.js';

/** How long a worker waits after it could not take a job. */
const PAUSE = 1_000;
/** A time that is over. */
const NOW = 1;

/** What BullMQ's workers make of a backend, the way it takes jobs changed in two points. */
export function forWorkers<B extends Pick<IQueueBackend, 'moveToActive'>>(backend: B): B {
  const moveToActive = backend.moveToActive.bind(backend);
  let begins = false;
  backend.moveToActive = async (...args) => {
    // The task that was just taken goes first: a short one has ended by the next turn of the event loop.
    if (begins) await nextTurn();
    try {
      const taken = beginAtOnce(await moveToActive(...args));
      begins = Boolean(taken[0]);
      return taken;
    } catch (error) {
      // BullMQ waits a moment when the server refuses connections; after any other error (memory is full, a table is
      // gone, a permission was taken away) it would ask again at once, thousands of times a second.
      if (bullmq.isNotConnectionError(error as Error)) await new Promise((resolve) => setTimeout(resolve, PAUSE));
      throw error;
    }
  };
  return backend;
}

/**
 * Before it begins with a job, BullMQ asks for more, until all places are taken or there is none; an idle worker's first
 * job so waits for one more answer of the server. It does not where a delayed job may be due by now: then it begins, and
 * asks meanwhile.
 *
 * @param taken job, id, and for how long the queue is limited, then when its next delayed job is due
 */
function beginAtOnce([job, id, limitedFor, ...rest]: unknown[]): unknown[] {
  return job ? [job, id, limitedFor, NOW] : [job, id, limitedFor, ...rest];
}
