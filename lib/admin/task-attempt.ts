import type { AttemptOutcome, AttemptRecord } from '../engine/attempt.js';

/** One run of a task's method. Times are ISO 8601 text in UTC. A run that ended in `retry({ in })` is no attempt. */
export interface TaskAttempt {
  /** 1 for the first. An attempt that was lost does not count, so the next one has the same number. */
  readonly number: number;
  /** `null` when it is not known, as of an attempt that was lost. */
  readonly startedAt: string | null;
  /** `null` while the attempt runs, and when it is not known. */
  readonly endedAt: string | null;
  /**
   * - `retry`: it failed, and the task runs again. `failed`: it failed, and no attempt was left or would have helped.
   * - `cancelled`: a caller cancelled the task while it ran.
   * - `lost`: the process that ran it died, or lost its lock on the task.
   * - `null`: it runs.
   */
  readonly outcome: AttemptOutcome | null;
  readonly error: {
    readonly name: string;
    readonly message: string;
    readonly code?: string;
    readonly stack?: string;
  } | null;
  /** The id of the worker, as in `TaskAdmin.workers()`; `null` when it is not known. */
  readonly worker: string | null;
}

export function toTaskAttempt({ startedAt, endedAt, error, ...attempt }: AttemptRecord): TaskAttempt {
  const { name = '', message = '', code, stack } = error ?? {};
  return {
    ...attempt,
    startedAt: isoTime(startedAt),
    endedAt: isoTime(endedAt),
    error: error && { name, message, ...(code !== undefined && { code }), ...(stack !== undefined && { stack }) },
  };
}

function isoTime(time: number | null): string | null {
  return time === null ? null : new Date(time).toISOString();
}
