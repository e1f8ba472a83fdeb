import { setTimeout as sleep } from 'node:timers/promises';
import type { TaskRecord } from '../engine/task.js';
import { TaskNotFoundError } from '../errors.js';
import type { UntilFinalOptions } from './task-watcher.js';

/** A call that was stored in a transaction of the application. Until the commit, nothing finds its task. */
export interface UncommittedCall {
  /**
   * Whether the code that runs now is inside of the transaction, which is still open: then waiting for the task would keep
   * the transaction from its commit, without which the task does not exist.
   */
  isInside(): Promise<boolean>;
}

/** Milliseconds for which a caller waits for a task of a transaction, unless it gives a time. */
const DEFAULT_TIMEOUT = 60_000;
/** Milliseconds between two look-ups: of the first ones, and the longest. */
const [FIRST_PAUSE, LONGEST_PAUSE] = [20, 500];

/**
 * Waits for the end of a task that perhaps is not committed yet.
 *
 * @param untilFinal waits for the end, and throws TaskNotFoundError as long as the task does not exist
 * @throws TaskNotFoundError when the task does not exist after `timeout`, or at once inside of its transaction
 */
export async function untilCommitted(
  id: string,
  call: UncommittedCall,
  { timeout = DEFAULT_TIMEOUT, signal }: UntilFinalOptions,
  untilFinal: (options: UntilFinalOptions) => Promise<TaskRecord | undefined>,
): Promise<TaskRecord | undefined> {
  const end = performance.now() + timeout;
  if (await call.isInside()) {
    throw new TaskNotFoundError(
      id,
      'the transaction in which it was enqueued has not committed, and result() was called inside of it. Call result() after the commit.',
    );
  }
  let missing: TaskNotFoundError | undefined;
  for (let pause = FIRST_PAUSE; ; pause = Math.min(pause * 2, LONGEST_PAUSE)) {
    const left = end - performance.now();
    try {
      const record = await untilFinal({ timeout: Math.max(left, 0), signal });
      // The time was too short for another look-up.
      if (!record && missing) throw missing;
      return record;
    } catch (error) {
      if (!(error instanceof TaskNotFoundError) || performance.now() + pause > end) throw error;
      missing = error;
    }
    await sleep(pause, undefined, signal && { signal });
  }
}
