/** Fire-and-forget messages between the processes of one application. Any of them may be lost. */
export interface MessageBus {
  publish(channel: string, message: string): Promise<void>;
  /**
   * Publishes news of a task after the workers of this process have done what they asked for so far, without
   * waiting for the answer to that: what is stored of it by then, if it succeeded. `undefined` where that cannot be.
   */
  readonly publishEnd: ((id: string, channels: readonly string[]) => void) | undefined;
  /** Resolves once messages arrive, with what ends it. */
  subscribe(channel: string, listener: (message: string) => void): Promise<() => Promise<void>>;
}
