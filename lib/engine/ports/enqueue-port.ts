import type { Receipt, TaskCall, TaskTree } from '../task.js';

/** Storing calls. */
export interface EnqueuePort {
  /**
   * Stores calls, of one queue or of several. A call whose id is already stored is left as it is, so the caller may
   * repeat the whole method without harm.
   *
   * @returns one receipt for each call, in order
   * @throws EngineUnavailableError when the engine does not answer in time
   * @throws IdempotencyConflictError when an earlier call used the same key with other arguments
   */
  enqueue(calls: readonly TaskCall[]): Promise<Receipt[]>;
  /**
   * Stores a task and all tasks it waits for, in one atomic step. The caller may repeat it without harm.
   *
   * @throws EngineUnavailableError when the engine does not answer in time
   */
  enqueueTree(tree: TaskTree): Promise<Receipt>;
  /**
   * Whether the call is stored already, or an earlier task stands for it, so that `enqueue` would store nothing.
   *
   * @throws EngineUnavailableError when the engine does not answer in time
   */
  isStored(call: TaskCall): Promise<boolean>;
  /**
   * Resolves once the time of the store is known, from which the delay and the expiry time of a call count. A process that has not reached
   * its store yet knows its own clock only. A port without this method need not be waited for.
   *
   * @returns `undefined` when the time is known
   * @throws EngineUnavailableError when the engine does not answer in time
   */
  untilTimeKnown?(): Promise<void> | undefined;
}
