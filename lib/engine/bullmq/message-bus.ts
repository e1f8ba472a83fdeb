/** Messages between the processes of one application. The sender gets no answer, and any message may be lost. */
export interface MessageBus {
  /** Whether this process receives no messages, so that it has to poll more often. Known after {@link subscribe}. */
  readonly isDeaf?: boolean;
  publish(channel: string, message: string): Promise<void>;
  /**
   * Redis only: sends a `ChangeMessage` about the end of a task on the workers' connection, right behind the command that
   * stores the end. So the message carries the stored result and needs no further round trip. `undefined` where a driver
   * cannot keep the two in this order.
   */
  readonly publishEnd: ((id: string, channels: readonly string[]) => void) | undefined;
  /**
   * Resolves once messages arrive, with a function that unsubscribes. Only `CheckedBus` calls this method: it checks
   * each message, and it gives a listener that does not throw.
   */
  subscribe(channel: string, listener: (message: string) => void): Promise<() => Promise<void>>;
}
