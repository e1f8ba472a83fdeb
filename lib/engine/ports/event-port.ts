import type { TaskRecord } from '../task.js';

/**
 * What happened to a task:
 *
 * - `enqueued`: it was stored.
 * - `started`: a worker is about to call its method.
 * - `retrying`: an attempt ended, and the task runs again.
 * - `succeeded`, `failed`, `cancelled`, `expired`: it is final.
 * - `lost`: the worker that ran it gave no sign of life, so the task was taken from it.
 */
export type TaskChangeType =
  | 'enqueued'
  | 'started'
  | 'succeeded'
  | 'retrying'
  | 'failed'
  | 'cancelled'
  | 'expired'
  | 'lost';

/** A change of a task that this process has stored. */
export interface TaskChange {
  readonly type: TaskChangeType;
  /** The task after the change. */
  readonly record: TaskRecord;
  /** The earliest time at which the task could start: its enqueue, or the end of its delay. */
  readonly dueAt: number;
  /** The time of the change. */
  readonly at: number;
}

export type TaskChangeListener = (change: TaskChange) => void;

/** Hearing of changes. An engine does nothing for changes that no listener wants. */
export interface EventPort {
  /**
   * Calls `listener` after this process has stored a change of one of these types: once for each change, and in no other
   * process. A change whose answer was lost on the way from the store may be left out. The listener must not throw.
   *
   * @returns ends it
   */
  onTaskChange(types: Iterable<TaskChangeType>, listener: TaskChangeListener): () => void;
}
