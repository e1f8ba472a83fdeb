/** What keeps the workers of a queue from starting its next task. */
export interface QueueBlock {
  readonly isPaused: boolean;
  /** As many tasks run as the global concurrency of the queue allows. */
  readonly isMaxed: boolean;
  /** Milliseconds until the rate limit allows the next start; 0 when it allows one now. */
  readonly limitedFor: number;
}

/** Asking why a task waits. */
export interface BlockPort {
  /**
   * @param maxStarts the starts that the declared rate limit of the queue allows in a period; `undefined`: none is declared. A
   * limit that is stored takes precedence
   * @throws EngineUnavailableError when the engine does not answer in time
   */
  blockOf(queue: string, maxStarts: number | undefined): Promise<QueueBlock>;
}
