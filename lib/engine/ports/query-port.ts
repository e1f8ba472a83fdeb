import type { TaskRecord } from '../task.js';

/**
 * A listener of {@link QueryPort.watch} is called within this many milliseconds, even when nothing happens and every
 * message is lost.
 */
export const FIRST_CALL_WITHIN = 3_000;

/** Which changes a watcher wants to hear of. */
export interface WatchOptions {
  /** Only changes after which the task may be final. */
  readonly endOnly: boolean;
}

/** The task may have changed. Of a task that succeeded, the listener may get the record right away. */
export type ChangeListener = (record?: TaskRecord) => void;

/** Reading stored tasks. */
export interface QueryPort {
  /**
   * The task of this id; `undefined` when there is none or its time to live is over.
   *
   * @throws EngineUnavailableError when the engine does not answer in time
   */
  find(id: string): Promise<TaskRecord | undefined>;
  /**
   * How many members of a task have ended so far.
   *
   * @throws EngineUnavailableError when the engine does not answer in time
   */
  countEndedMembers(record: TaskRecord): Promise<number>;
  /**
   * Calls `listener` after every change, and once soon after the watch begins, for changes that came before it. An engine
   * leaves that first call out for a task that it has just stored itself. A slow poll makes up for lost messages, so the
   * listener is called within {@link FIRST_CALL_WITHIN} in any case. A listener without a record calls {@link find}.
   *
   * @returns ends the watch
   */
  watch(id: string, listener: ChangeListener, options: WatchOptions): () => void;
}
