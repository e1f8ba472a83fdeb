import type { Worker } from 'bullmq';

/** What BullMQ's worker does while a rate limit is reached. Its type is private. */
interface LimitWait {
  waitForRateLimit(): Promise<void>;
  readonly abortDelayController: { abort(): void } | null;
}

/**
 * Makes a worker that waits because of a rate limit ask for a job again as soon as the limit has room. By itself, the worker
 * waits until the window of the limit is over, or for `maximumRateLimitDelay`, also when a start was given back meanwhile.
 *
 * @returns a function that tells the worker of the room. It may be called at any time
 */
export function waitUntilRoom(worker: Worker): () => void {
  const inside = worker as unknown as LimitWait;
  const { waitForRateLimit } = inside;
  // The answer that the limit is reached may be older than the room, and arrive after it.
  let hasRoom = false;
  const waited = () => {
    hasRoom = false;
  };
  // The worker calls it before each job, so it makes one promise and no more.
  inside.waitForRateLimit = () => {
    if (hasRoom) setImmediate(() => inside.abortDelayController?.abort());
    hasRoom = false;
    return waitForRateLimit.call(worker).then(waited);
  };
  return () => {
    hasRoom = true;
    inside.abortDelayController?.abort();
  };
}
