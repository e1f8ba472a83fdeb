import { setImmediate as nextTurn } from 'node:timers/promises';
import type { IQueueBackend } from 'bullmq';
import { aroundTaking } from './around-taking.js';
import { bullmq } from './bullmq-package.cjs';

/** Milliseconds that a worker waits after an error before it tries to take a job again. */
const PAUSE = 1_000;
/** A time in the past. */
const PAST = 1;

type WorkerBackend = Pick<IQueueBackend, 'moveToActive' | 'moveToCompleted' | 'moveToFailed' | 'waitForJob'>;

/** The time of the last answer to the request for a job, by `performance.now()`. */
const ANSWERED_AT = Symbol('time of the last answer');

/**
 * Changes the way in which BullMQ's workers take jobs: they start a job at once, and pause after an error. Remembers when the store
 * answered last.
 */
export function patchWorkerBackend<B extends WorkerBackend>(backend: B): B {
  pauseAfterError(backend);
  return startImmediately(backend);
}

/**
 * When the store last answered the request for a job, by `performance.now()`: `-Infinity` before the first answer. An idle worker
 * asks every five seconds, and at least every ten.
 */
export function answeredAt(backend: object): number {
  return (backend as { [ANSWERED_AT]?: number })[ANSWERED_AT] ?? -Infinity;
}

/**
 * Makes a worker wait for {@link PAUSE} after an error. By itself, BullMQ waits when the server refuses connections.
 * After any other error (memory is full, a table is gone, a permission was taken away) it asks for a job again at once,
 * thousands of times a second.
 */
function pauseAfterError(backend: WorkerBackend): void {
  aroundTaking(backend, {
    failed: async (error) => {
      if (bullmq.isNotConnectionError(error as Error)) await new Promise((resolve) => setTimeout(resolve, PAUSE));
      throw error;
    },
  });
}

/**
 * Makes a worker start a job as soon as it has taken it. By itself, BullMQ's main loop first asks for further jobs,
 * until the worker is full or the queue is empty. So the job of an idle worker waits for one more answer of the server.
 * The loop does not ask when `moveToActive` reports that a delayed job is due, so `moveToActive` reports that with
 * every job.
 *
 * The next `moveToActive` waits for one turn of the event loop, in which a short task may end. BullMQ asks for the next
 * job in the same command that stores the end. When that answer says that there is no job, `moveToActive` returns this
 * answer instead of asking the server again. A worker that has waited for a job asks at once: that answer is older than the job.
 */
function startImmediately<B extends WorkerBackend>(backend: B): B {
  const moveToCompleted = backend.moveToCompleted.bind(backend);
  const moveToFailed = backend.moveToFailed.bind(backend);
  const waitForJob = backend.waitForJob.bind(backend);
  /** The command that stored the last end. Its result contains the next job, if BullMQ asked for one. */
  let ending: Promise<{ result: unknown[] | void }> | undefined;
  let justTook = false;
  backend.moveToCompleted = (...args) => (ending = moveToCompleted(...args));
  backend.moveToFailed = (...args) => (ending = moveToFailed(...args));
  backend.waitForJob = (timeout) => {
    justTook = false;
    return waitForJob(timeout);
  };
  aroundTaking(backend, {
    taken: ([job, id, limitedFor, delayedUntil]) => {
      (backend as { [ANSWERED_AT]?: number })[ANSWERED_AT] = performance.now();
      justTook = Boolean(job);
      return [job, id, limitedFor, justTook ? PAST : delayedUntil];
    },
  });
  const take = backend.moveToActive.bind(backend);
  const takeNextTurn = async (token: string, name?: string) => {
    const before = ending;
    await nextTurn();
    // The answer of an earlier end may be older than a job that was enqueued since.
    const next = ending === before ? undefined : (await ending?.catch(() => undefined))?.result;
    return next && !next[0] ? next : take(token, name);
  };
  // An idle worker starts a job sooner without a further promise.
  backend.moveToActive = (token, name) => {
    if (!justTook) return take(token, name);
    justTook = false;
    return takeNextTurn(token, name);
  };
  return backend;
}
