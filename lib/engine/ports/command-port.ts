import type { TaskRecord } from '../task.js';

/** Changing stored tasks. Each method throws EngineUnavailableError when the engine does not answer in time. */
export interface CommandPort {
  /**
   * Cancels a task and all its members that are not final. A running task gets its signal aborted.
   *
   * @param reason the message of the `TaskCancelledError`; default "The task was cancelled."
   * @returns the record afterwards; `undefined` when there is no such task
   */
  cancel(id: string, reason: string | undefined): Promise<TaskRecord | undefined>;
  /**
   * Runs a failed or cancelled task again under its id, with all its attempts, after those of its members that did not
   * succeed. A task in another state stays as it is.
   *
   * @returns the record afterwards; `undefined` when there is no such task
   * @throws RetryRefusedError when the task is unique and an equal task has not ended
   */
  retry(id: string): Promise<TaskRecord | undefined>;
  /**
   * Removes a final task from the store.
   *
   * @returns false when there is no such task or it is not final
   */
  forget(id: string): Promise<boolean>;
}
