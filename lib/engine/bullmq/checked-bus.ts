import { Logger } from '@nestjs/common';
import type { MessageBus } from './message-bus.js';

/** Milliseconds after which the same warning about a channel is logged again. */
const REPEAT_AFTER = 60_000;

/** Reads a message. @returns `undefined` for a text that this package does not send on the channel */
export type Parse<T> = (text: string) => T | undefined;

/**
 * A message bus on which any client of the database may publish any text. All subscriptions of this package go through
 * this class: a text that `parse` refuses is dropped, and an error of a listener does not reach the driver, whose event
 * emitter would end the process. Each is logged as one line, at most once a minute for each channel and fault. The line
 * never contains the message, which may hold results of tasks.
 */
export class CheckedBus {
  private readonly logger = new Logger('TaskQueue');
  /** The time at which each warning was logged last: few for each channel. */
  private readonly warnedAt = new Map<string, number>();

  constructor(private readonly bus: MessageBus) {}

  get publishEnd(): MessageBus['publishEnd'] {
    return this.bus.publishEnd;
  }

  get isDeaf(): boolean {
    return this.bus.isDeaf === true;
  }

  publish(channel: string, message: string): Promise<void> {
    return this.bus.publish(channel, message);
  }

  /** Resolves once messages arrive, with a function that unsubscribes. `listener` may return a promise. */
  subscribe<T>(channel: string, parse: Parse<T>, listener: (message: T) => unknown): Promise<() => Promise<void>> {
    const reportError = (error: unknown) =>
      this.warn(`A message on the channel "${channel}" made its listener throw ${describe(error)}.`);
    return this.bus.subscribe(channel, (text) => {
      try {
        const message = parse(text);
        if (message === undefined) return this.warnOfText(channel, text);
        const answer = listener(message);
        if (answer instanceof Promise) answer.catch(reportError);
      } catch (error) {
        reportError(error);
      }
    });
  }

  private warnOfText(channel: string, text: string): void {
    const fault = isJson(text) ? 'it does not have the form of a message of this package' : 'it is not JSON';
    this.warn(`A message on the channel "${channel}" was dropped: ${fault}.`);
  }

  private warn(line: string): void {
    const now = performance.now();
    for (const [known, at] of this.warnedAt) if (at + REPEAT_AFTER <= now) this.warnedAt.delete(known);
    if (this.warnedAt.has(line)) return;
    this.warnedAt.set(line, now);
    this.logger.warn(line);
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** The name of an error and the place of the throw, without the message of the error: it may quote the text. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return 'a value that is no error';
  const { name, message, stack = '' } = error;
  const place = /^\s+at .+$/m.exec(stack.slice(stack.indexOf(message) + message.length))?.[0].trim();
  return place === undefined ? name : `${name} ${place}`;
}
