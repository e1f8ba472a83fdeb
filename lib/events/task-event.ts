import type { TaskChange, TaskChangeType } from '../engine/ports/event-port.js';
import type { Headers, TaskRecord } from '../engine/task.js';
import { toStatus, type TaskStatus } from '../results/task-status.js';

/**
 * What happened to a task:
 *
 * - `enqueued`: the task was stored, also as a member of a workflow. A call that an earlier task stands for raises nothing.
 * - `started`: a worker is about to call the task's method. A task that is retried starts once for each attempt.
 * - `succeeded`: the method returned. Final.
 * - `retrying`: an attempt ended, and the task runs again: it failed and has an attempt left, or it called `retry({ in })`, or
 *   its process closes.
 * - `failed`: no attempt is left, or another one cannot help. Final.
 * - `cancelled`: a caller cancelled the task. Final.
 * - `expired`: the task was not started before its `expires`. Final.
 * - `lost`: the process that ran the task gave no sign of life. The task runs again, or a `failed` follows.
 */
export type TaskEventType = TaskChangeType;

/** The error of a task, as an event reports it. */
export interface TaskEventError {
  readonly name: string;
  readonly message: string;
  readonly code?: string;
  /** Never leaves through HTTP. Do not send it to clients. */
  readonly stack?: string;
}

/** What all events have. */
interface EventOf<T extends TaskEventType> {
  readonly type: T;
  /** The id of the task. */
  readonly id: string;
  /** The name of the task. */
  readonly name: string;
  readonly queue: string;
  /** Number of the current or last attempt; 0 before the first. */
  readonly attempt: number;
  /** The status of the task after the change, as `handle.status()` returns it. */
  readonly status: TaskStatus;
  readonly headers: Headers;
}

interface Unstarted {
  readonly duration: null;
  readonly wait: null;
}

interface Run {
  /** Milliseconds that the attempt took. */
  readonly duration: number;
  /** Milliseconds from the time at which the task could start (its enqueue, or the end of its delay) to this attempt. */
  readonly wait: number;
}

/** A task may end before it has started. */
interface PerhapsRun {
  /** Milliseconds that the last attempt took; `null` when the task never started. */
  readonly duration: number | null;
  /** Milliseconds from the time at which the task could start to its last attempt; `null` when the task never started. */
  readonly wait: number | null;
}

interface WithoutError {
  readonly error?: undefined;
}

interface WithError {
  /** Why the task ended. */
  readonly error: TaskEventError;
}

interface Events {
  readonly enqueued: EventOf<'enqueued'> & Unstarted & WithoutError;
  readonly started: EventOf<'started'> & WithoutError & Pick<Run, 'wait'> & { readonly duration: null };
  readonly succeeded: EventOf<'succeeded'> & PerhapsRun & WithoutError;
  /** The error is missing when the attempt did not fail: it called `retry({ in })`, or its process closes. */
  readonly retrying: EventOf<'retrying'> & Run & Partial<WithError>;
  readonly failed: EventOf<'failed'> & PerhapsRun & WithError;
  readonly cancelled: EventOf<'cancelled'> & PerhapsRun & WithError;
  readonly expired: EventOf<'expired'> & Unstarted & WithError;
  readonly lost: EventOf<'lost'> & WithoutError & { readonly duration: null; readonly wait: number | null };
}

/**
 * What a method with `@OnTask()` gets: a union that `type` tells apart. Durations are milliseconds.
 *
 * | type | `error` | `duration` | `wait` |
 * | --- | --- | --- | --- |
 * | `enqueued` | – | `null` | `null` |
 * | `started` | – | `null` | a number |
 * | `succeeded` | – | a number; `null` for a group, which runs no method | as `duration` |
 * | `retrying` | unless `retry({ in })` or a closing process is the reason | a number | a number |
 * | `failed`, `cancelled` | yes | a number; `null` when the task never started | as `duration` |
 * | `expired` | yes | `null` | `null` |
 * | `lost` | – | `null` | a number; `null` when it is not known |
 *
 * @typeParam T the types of the event; default: all
 * @example
 * function onEnd(event: TaskEvent<'succeeded' | 'failed'>): void {
 *   if (event.type === 'failed') console.error(event.name, event.error.message);
 * }
 */
export type TaskEvent<T extends TaskEventType = TaskEventType> = Events[T];

const RUNNING: ReadonlySet<TaskEventType> = new Set(['started', 'lost']);
const WITH_ERROR: ReadonlySet<TaskEventType> = new Set(['retrying', 'failed', 'cancelled', 'expired']);

/** The event of a change. Each listener gets one of its own. */
export function toEvent({ type, record, dueAt, at }: TaskChange): TaskEvent {
  const { id, name, queue, attempt, startedAt } = record;
  // A start that was counted although the task ended without it.
  const started = type === 'expired' ? null : startedAt;
  return {
    type,
    id,
    name,
    queue,
    attempt,
    status: toStatus(record),
    headers: { ...record.headers },
    ...(WITH_ERROR.has(type) && record.error && { error: errorOf(record.error) }),
    duration: started === null || RUNNING.has(type) ? null : Math.max(at - started, 0),
    wait: started === null ? null : Math.max(started - dueAt, 0),
  } as TaskEvent;
}

function errorOf({ name, message, code, stack }: NonNullable<TaskRecord['error']>): TaskEventError {
  return { name, message, ...(code !== undefined && { code }), ...(stack !== undefined && { stack }) };
}
