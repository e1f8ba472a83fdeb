import type { Worker } from 'bullmq';

/** The parts of BullMQ's worker that are used here. */
interface StalledChecker {
  checkConnectionError<T>(check: () => Promise<T>, pause?: number): Promise<T | undefined>;
}

/**
 * Makes a worker whose search for stalled jobs failed search again after its interval, which ends when the worker closes. By itself,
 * BullMQ waits five seconds before the interval, and nothing ends these: a process whose server refuses stays alive after its worker
 * has closed.
 */
export function pauseNoLongerThanWorker(worker: Worker): void {
  const checker = worker as unknown as StalledChecker;
  const checkConnectionError = checker.checkConnectionError.bind(worker);
  checker.checkConnectionError = (check) => checkConnectionError(check, 0);
}
