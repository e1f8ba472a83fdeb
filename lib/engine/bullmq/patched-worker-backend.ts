import { setImmediate as nextTurn } from 'node:timers/promises';
import type { IQueueBackend } from 'bullmq';
import { bullmq } from './bullmq-package.js';

/** How long a worker waits after it could not take a job. */
const PAUSE = 1_000;
/** A time that is over. */
const NOW = 1;

type WorkerBackend = Pick<IQueueBackend, 'moveToActive' | 'moveToCompleted' | 'moveToFailed'>;

/** A backend for BullMQ's workers, with the way they take jobs changed. */
export function patchWorkerBackend<B extends WorkerBackend>(backend: B): B {
  return patient(eager(backend));
}

/**
 * Makes a worker patient. BullMQ waits a moment when the server refuses connections; after any other error (memory is
 * full, a table is gone, a permission was taken away) it would ask again at once, thousands of times a second.
 */
function patient<B extends WorkerBackend>(backend: B): B {
  const moveToActive = backend.moveToActive.bind(backend);
  backend.moveToActive = async (...args) => {
    try {
      return await moveToActive(...args);
    } catch (error) {
      if (bullmq.isNotConnectionError(error as Error)) await new Promise((resolve) => setTimeout(resolve, PAUSE));
      throw error;
    }
  };
  return backend;
}

/**
 * Makes a worker begin with a job as soon as it has it. BullMQ's main loop first asks for more, until all places are taken
 * or there is none: the task of an idle worker waits for one more answer of the server. It does not when it is told that a
 * delayed job may be due, so that is what it is told.
 *
 * It asks for more a turn of the event loop later, when a short task has ended already; whoever stores an end asks for the
 * next job in the same breath, and if there is none, that is the answer here, too.
 */
function eager<B extends WorkerBackend>(backend: B): B {
  const moveToActive = backend.moveToActive.bind(backend);
  const moveToCompleted = backend.moveToCompleted.bind(backend);
  const moveToFailed = backend.moveToFailed.bind(backend);
  /** The last end that is being stored, with the next job if that was asked for. */
  let ending: Promise<{ result: unknown[] | void }> | undefined;
  let justTook = false;
  backend.moveToCompleted = (...args) => (ending = moveToCompleted(...args));
  backend.moveToFailed = (...args) => (ending = moveToFailed(...args));
  backend.moveToActive = async (...args) => {
    if (justTook) {
      justTook = false;
      const before = ending;
      await nextTurn();
      // One from before may be older than a job that came since.
      const next = ending === before ? undefined : (await ending?.catch(() => undefined))?.result;
      if (next && !next[0]) return next;
    }
    const [job, id, limitedFor, delayedUntil] = await moveToActive(...args);
    justTook = Boolean(job);
    return [job, id, limitedFor, justTook ? NOW : delayedUntil];
  };
  return backend;
}
