import type { IQueueBackend, Worker } from 'bullmq';
import type { TakenAhead } from './taken-ahead.js';

/** A time in the past: the worker must not wait. */
const PAST = 1;

/** The places of a worker that are filled, and those for which it asks for jobs. Its type is private. */
interface Places {
  readonly mainLoopQueue: { numTotal(): number } | null;
}

/** The place for which the worker asks counts already, or does not count yet. So one place may be left out. */
export function freePlaces(worker: Worker): number {
  const filled = (worker as unknown as Places).mainLoopQueue?.numTotal() ?? worker.concurrency;
  return Math.max(worker.concurrency - filled - 1, 0);
}

/** Makes a worker get each job that was taken ahead before it waits for others. */
export function handOver(
  backend: Pick<IQueueBackend, 'moveToActive' | 'waitForJob' | 'close'>,
  ahead: TakenAhead,
): void {
  const { moveToActive, waitForJob, close } = backend;
  // A worker calls both before each job, so they make no more promises than they need.
  backend.moveToActive = (token, name) => {
    const job = ahead.hand(token);
    return job ? Promise.resolve([job[0], job[1], 0, PAST]) : moveToActive.call(backend, token, name);
  };
  backend.waitForJob = (timeout) =>
    ahead.isEmpty ? waitForJob.call(backend, timeout) : Promise.resolve({ member: '', score: PAST });
  backend.close = async (force) => {
    await ahead.clear();
    return close.call(backend, force);
  };
}
