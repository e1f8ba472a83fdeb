import { FORMAT, LARGEST_MESSAGE, type MessageBus, type PreparedMessage } from './message-bus.js';
import type { RareWarnings } from './rare-warnings.js';

/**
 * Characters of the longest text that is read. On Redis a script writes the message about a success, and its JSON may
 * take six characters for one of the {@link LARGEST_MESSAGE} bytes that it counts.
 */
const LONGEST_TEXT = 8 * LARGEST_MESSAGE;

/** The fields of a message. Any client of the database may have sent them. */
export type Fields = Readonly<Record<string, unknown>>;

export interface Subscriber<T> {
  /** Reads a message. @returns `undefined` for fields that this package does not send on the channel */
  read(fields: Fields): T | undefined;
  /** Receives a message that was read. May return a promise. */
  receive(message: T): unknown;
  /** Called for a message of a later version, which this process cannot read. The store tells what has happened. */
  receiveNewer?(): unknown;
}

/**
 * A message bus on which any client of the database may publish any text. All subscriptions of this package go through
 * this class: a text that cannot be read is dropped, and an error of a subscriber does not reach the driver, whose event
 * emitter would end the process. Each is logged as one line, at most once a minute for each channel and fault. The line
 * never contains the message, which may hold results of tasks.
 */
export class CheckedBus {
  constructor(
    private readonly bus: MessageBus,
    private readonly warnings: RareWarnings,
    /** Called with an error of the bus: callers mostly do without a message, because polls take its place. */
    private readonly onError: (error: unknown) => void = () => undefined,
  ) {}

  get publishEnd(): MessageBus['publishEnd'] {
    return this.bus.publishEnd;
  }

  get isDeaf(): boolean {
    return this.bus.isDeaf === true;
  }

  get largestMessage(): number {
    return this.bus.largestMessage;
  }

  publish(channel: string, message: object): Promise<void> {
    return this.bus.publish(channel, writeMessage(message)).catch(this.reported);
  }

  /** See {@link MessageBus.prepare}. */
  prepare(channel: string, message: object): PreparedMessage | undefined {
    return this.bus.prepare?.(channel, writeMessage(message));
  }

  /** Resolves once messages arrive, with a function that unsubscribes. */
  subscribe<T>(channel: string, subscriber: Subscriber<T>): Promise<() => Promise<void>> {
    const reportError = (error: unknown) =>
      this.warnings.warn(`A message on the channel "${channel}" made its listener throw ${describe(error)}.`);
    const dropped = (fault: string) =>
      this.warnings.warn(`A message on the channel "${channel}" was dropped: ${fault}.`);
    const receive = (text: string): unknown => {
      const fields = readFields(text);
      if (fields === undefined) return dropped('it is not a JSON object, or it is too long');
      if (isNewer(fields)) {
        dropped('a later version of this package sent it, and this process does not understand it');
        return subscriber.receiveNewer?.();
      }
      const message = subscriber.read(fields);
      if (message === undefined) return dropped('it does not have the form of a message of this package');
      return subscriber.receive(message);
    };
    const subscribed = this.bus.subscribe(channel, (text) => {
      try {
        const answer = receive(text);
        if (answer instanceof Promise) answer.catch(reportError);
      } catch (error) {
        reportError(error);
      }
    });
    return subscribed.catch(this.reported);
  }

  private readonly reported = (error: unknown): never => {
    this.onError(error);
    throw error;
  };
}

/** The text of a message: its fields behind the number of the format. */
export function writeMessage(message: object): string {
  return JSON.stringify({ v: FORMAT, ...message });
}

/** The fields of a text; `undefined` when it has none. Version 0.1.0 announces a change of schedules by an empty text. */
export function readFields(text: string): Fields | undefined {
  if (text === '') return {};
  if (text.length > LONGEST_TEXT) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;
  } catch {
    return undefined;
  }
}

function isNewer({ v }: Fields): boolean {
  return typeof v === 'number' && v > FORMAT;
}

/** The name of an error and the place of the throw, without the message of the error: it may quote the text. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return 'a value that is no error';
  const { name, message, stack = '' } = error;
  const place = /^\s+at .+$/m.exec(stack.slice(stack.indexOf(message) + message.length))?.[0].trim();
  return place === undefined ? name : `${name} ${place}`;
}
