import type { Json } from '../json.js';
import type { TaskFailure, TaskRecord } from '../task.js';

/** What changes of a task that has not started. */
export interface TaskEdit {
  readonly args?: readonly Json[];
  /** The earliest time at which the task may start. */
  readonly startAt?: number;
  /** 0 to 9, higher first. */
  readonly priority?: number;
}

/** The failure that a member gives its whole. */
export interface FailureOfWhole {
  readonly failure: TaskFailure;
  /** See `TaskRecord.reruns`: another run of the whole may end in another way. */
  readonly reruns: number;
}

/** Changing stored tasks. Each method throws EngineUnavailableError when the engine does not answer in time. */
export interface CommandPort {
  /**
   * Cancels a task and all its members that are not final. A running task gets its signal aborted.
   *
   * @param reason the message of the `TaskCancelledError`; default "The task was cancelled."
   * @param withWhole the task that waits for this one ends too, by the caller; default false
   * @returns the record afterwards; `undefined` when there is no such task
   */
  cancel(id: string, reason: string | undefined, withWhole?: boolean): Promise<TaskRecord | undefined>;
  /**
   * Fails a task that waits, because one of its members failed. A worker that takes the task later clears it away, and nothing hears
   * of the end a second time.
   *
   * @returns false when there is no such task, a worker has it, it has ended or a caller has run it again
   */
  failWhole(id: string, failed: FailureOfWhole): Promise<boolean>;
  /**
   * Runs a failed or cancelled task again under its id, with all its attempts, after those of its members that did not
   * succeed. A task in another state stays as it is.
   *
   * @returns the record afterwards; `undefined` when there is no such task
   * @throws RetryRefusedError when the task is unique and an equal task has not ended
   */
  retry(id: string): Promise<TaskRecord | undefined>;
  /**
   * Runs a task again whose cancelled run has ended, when a caller has asked for that while it ran and the worker of that run is gone.
   *
   * @returns false while the run goes on, or its worker is about to run the task again
   */
  retryLeftBehind(id: string): Promise<boolean>;
  /**
   * Makes a task due now that waits for its time: of a delay, or of its next attempt.
   *
   * @returns the record afterwards; `undefined` when there is no such task
   * @throws ActRefusedError when the task waits for no time
   */
  promote(id: string): Promise<TaskRecord | undefined>;
  /**
   * Changes a task that no worker has taken yet, in one step: a worker that takes it in that moment gets all of the change or
   * nothing of it.
   *
   * @returns the record afterwards; `undefined` when there is no such task
   * @throws ActRefusedError when the task has started, has ended or waits for members, and when other calls rely on the arguments
   */
  update(id: string, change: TaskEdit): Promise<TaskRecord | undefined>;
  /**
   * Removes a task that waits in its queue or for its time. A workflow that waits for it goes on as after a failure.
   *
   * @returns false when there is no such task, or a worker has taken it
   */
  discard(id: string): Promise<boolean>;
  /**
   * Removes a final task from the store.
   *
   * @returns false when there is no such task or it is not final
   */
  forget(id: string): Promise<boolean>;
}
