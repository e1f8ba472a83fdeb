import type { RateLimit } from './control-port.js';

/** What keeps the workers of a queue from starting its next task. */
export interface QueueBlock {
  readonly isPaused: boolean;
  /** As many tasks run as the global concurrency of the queue allows. */
  readonly isMaxed: boolean;
  /** Milliseconds until the rate limit allows the next start; 0 when it allows one now. */
  readonly limitedFor: number;
  /** The rate limit in force; `undefined` without one. */
  readonly limit: RateLimit | undefined;
}

/** Asking why a task waits. */
export interface BlockPort {
  /**
   * @param declared the rate limit that the code declares. A limit that is stored takes precedence
   * @throws EngineUnavailableError when the engine does not answer in time
   */
  blockOf(queue: string, declared: RateLimit | undefined): Promise<QueueBlock>;
}
