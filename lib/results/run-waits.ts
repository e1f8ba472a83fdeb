/** Knows which running tasks of this process wait for other tasks. */
export interface RunWaits {
  /**
   * Called before a caller waits for a task.
   *
   * @returns `undefined` when the caller is no running task, or when its task and the awaited one share no queue
   */
  begin(id: string): RunWait | undefined;
}

/** A running task that waits for another one. */
export interface RunWait {
  /**
   * Rejects when the wait can never end. Comes before the caller waits.
   *
   * @throws SelfWaitError
   */
  readonly checked: Promise<void>;
  /** Aborted with a SelfWaitError when the wait can never end since another one has begun. */
  readonly signal: AbortSignal;
  end(): void;
}
