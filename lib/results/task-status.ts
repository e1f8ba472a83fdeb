import type { BlockReason, TaskFailure, TaskRecord, TaskState } from '../engine/task.js';
import type { Json } from '../engine/json.js';

/**
 * The status of a task, without its headers and stacks. `handle.status()` returns it, and `GET /tasks/:id` answers with
 * it. Times are ISO 8601 text in UTC.
 *
 * @typeParam R the return type of the task's method
 */
export interface TaskStatus<R = unknown> {
  readonly id: string;
  readonly name: string;
  readonly queue: string;
  readonly state: TaskState;
  /**
   * The last progress report: `{ current, total, message? }`, or any JSON; `null` before the first report. A workflow has
   * `{ current, total }` of its members or steps until the end, unless its last step reports progress of its own.
   */
  readonly progress: Json | null;
  /** The return value of the method, once the state is `succeeded`; `null` before. */
  readonly result: R | null;
  /** The reason why the task failed, is retried, was cancelled or expired; `null` for any other task. */
  readonly error: { readonly name: string; readonly message: string; readonly code?: string } | null;
  /** Number of the current or last attempt; 0 before the first. */
  readonly attempt: number;
  /** Attempts in all, the first included. */
  readonly maxAttempts: number;
  readonly enqueuedAt: string;
  /** The time at which the current or last attempt began; `null` before the first attempt. */
  readonly startedAt: string | null;
  readonly finishedAt: string | null;
  /** The time at which the record of a final task is removed; `null` before the task is final. */
  readonly expiresAt: string | null;
  /**
   * Why a queued task does not start; `null` when only the tasks before it keep it waiting, and for every task that is not queued.
   * Only `handle.status()` and `GET /tasks/:id` tell it, at most a second late.
   */
  readonly blockedBy: BlockReason | null;
  /** How many tasks of its queue start before a queued task: of the first 100 of the queue; `null` for all others. */
  readonly position: number | null;
  /** When a queued task with a `position` will probably start that waits for the rate limit; `null` for all others. */
  readonly estimatedStart: string | null;
}

/** Leaves out the parts of a record that are not for clients: headers, stacks, and the data of workflows. */
export function toStatus<R>(record: TaskRecord): TaskStatus<R> {
  return {
    id: record.id,
    name: record.name,
    queue: record.queue,
    state: record.state,
    progress: record.progress,
    result: record.result as R | null,
    error: record.error && publicPart(record.error),
    attempt: record.attempt,
    maxAttempts: record.maxAttempts,
    enqueuedAt: new Date(record.enqueuedAt).toISOString(),
    startedAt: isoTime(record.startedAt),
    finishedAt: isoTime(record.finishedAt),
    expiresAt: isoTime(record.expiresAt),
    blockedBy: record.block?.by ?? null,
    position: record.block?.position ?? null,
    estimatedStart: isoTime(record.block?.estimatedStart ?? null),
  };
}

function publicPart({ name, message, code }: TaskFailure): { name: string; message: string; code?: string } {
  return code === undefined ? { name, message } : { name, message, code };
}

function isoTime(time: number | null): string | null {
  return time === null ? null : new Date(time).toISOString();
}
