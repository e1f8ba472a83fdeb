/** Messages between the processes of one application. The sender gets no answer, and any message may be lost. */
export interface MessageBus {
  /**
   * Whether clients of the database that may not use the store can receive and send messages. `SealedBus` keeps the content
   * from them then, and their messages from this package.
   */
  readonly isPublic: boolean;
  /** Bytes of the largest message. */
  readonly largestMessage: number;
  /** Whether this process receives no messages, so that it has to poll more often. Known after {@link subscribe}. */
  readonly isDeaf?: boolean;
  publish(channel: string, message: string): Promise<void>;
  /** PostgreSQL only: the name of a channel in the database, for statements that send messages by themselves. */
  nameOf?(channel: string): string;
  /**
   * Redis only: sends a `ChangeMessage` about the end of a task on the workers' connection, right behind the command that
   * stores the end. So the message carries the stored result and needs no further round trip. `undefined` where a driver
   * cannot keep the two in this order.
   */
  readonly publishEnd: ((id: string, channels: readonly string[]) => void) | undefined;
  /**
   * PostgreSQL only: the message as it is sent, so that the statement that stores the end of a task can send it with its commit.
   * `undefined` where a message is sent by itself, and as long as the bus cannot send.
   */
  prepare?(channel: string, message: string): PreparedMessage | undefined;
  /**
   * Resolves once messages arrive, with a function that unsubscribes. Only `CheckedBus` calls this method: it checks
   * each message, and it gives a listener that does not throw.
   */
  subscribe(channel: string, listener: (message: string) => void): Promise<() => Promise<void>>;
}

/** A message that a statement sends. Its texts are those that the database sees. */
export interface PreparedMessage {
  readonly channel: string;
  readonly message: string;
}

/** Bytes of the largest message where the database sets no limit. */
export const LARGEST_MESSAGE = 7_500;

/**
 * The format of the messages that this version sends. A later version counts it up when an earlier one would misread its
 * messages. Messages of version 0.1.0 have no number; their form is that of format 1.
 */
export const FORMAT = 1;
