import type { TaskFailure, TaskRecord, TaskState } from '../engine/task.js';
import type { Json } from '../engine/json.js';

/** A task as everybody may see it: what `handle.status()` gives and `GET /tasks/:id` answers. Times are ISO text. */
export interface TaskStatus<R = unknown> {
  readonly id: string;
  readonly name: string;
  readonly queue: string;
  readonly state: TaskState;
  /** What the task last reported: `{ current, total, message? }`, or any JSON; `null` before. */
  readonly progress: Json | null;
  /** What the method returned, once `succeeded`. */
  readonly result: R | null;
  /** Why it failed, is being retried, was cancelled or expired. */
  readonly error: { readonly name: string; readonly message: string; readonly code?: string } | null;
  /** Number of the current or last attempt; 0 before the first. */
  readonly attempt: number;
  readonly maxAttempts: number;
  readonly enqueuedAt: string;
  /** When the current or last attempt began. */
  readonly startedAt: string | null;
  readonly finishedAt: string | null;
  /** Until when a final task can be asked for. */
  readonly expiresAt: string | null;
}

export function toStatus<R>(record: TaskRecord): TaskStatus<R> {
  return {
    id: record.id,
    name: record.name,
    queue: record.queue,
    state: record.state,
    progress: record.progress,
    result: record.result as R | null,
    error: record.error && describe(record.error),
    attempt: record.attempt,
    maxAttempts: record.maxAttempts,
    enqueuedAt: new Date(record.enqueuedAt).toISOString(),
    startedAt: isoTime(record.startedAt),
    finishedAt: isoTime(record.finishedAt),
    expiresAt: isoTime(record.expiresAt),
  };
}

function describe({ name, message, code }: TaskFailure): { name: string; message: string; code?: string } {
  return code === undefined ? { name, message } : { name, message, code };
}

function isoTime(time: number | null): string | null {
  return time === null ? null : new Date(time).toISOString();
}
