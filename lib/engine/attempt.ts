import type { TaskFailure } from './task.js';

/**
 * How an attempt ended:
 *
 * - `retry`: it failed, and the task runs again. `failed`: it failed, and no attempt was left or would have helped.
 * - `cancelled`: a caller cancelled the task while it ran.
 * - `lost`: the process that ran it died, or lost its lock on the task.
 */
export type AttemptOutcome = 'succeeded' | 'failed' | 'retry' | 'cancelled' | 'lost';

/** One run of the task's method. A run that a `postponed` outcome ended is none. */
export interface AttemptRecord {
  /** 1 for the first. A lost attempt does not count, so the next one has the same number. */
  readonly number: number;
  /** `null` when it is not known: of lost attempts, and of those that an earlier version stored. */
  readonly startedAt: number | null;
  /** `null` while the attempt runs, and when it is not known. */
  readonly endedAt: number | null;
  /** `null` while the attempt runs. */
  readonly outcome: AttemptOutcome | null;
  readonly error: TaskFailure | null;
  /** The id of the worker in the registry; `null` when it is not known. */
  readonly worker: string | null;
}

/** How many attempts of a task are kept: the last ones. */
export const ATTEMPTS_KEPT = 20;
