import { ConfigurationError } from './errors.js';
import { readable } from './thrown-text.js';

/**
 * The answer of a function of the application that has to answer at once. JavaScript takes a promise in its place for true, whatever
 * the promise resolves with, and a rejection that no code handles ends the process.
 *
 * @param what names the function
 * @throws ConfigurationError when the answer is a promise, whose rejection is then handled
 */
export function notAPromise<T>(answer: T, what: string): T {
  if (!isThenable(answer)) return answer;
  Promise.resolve(answer).catch(() => undefined);
  throw new ConfigurationError(`${what} returned a promise. It has to answer at once: make the function synchronous.`);
}

/** Whether a value is a promise, of whatever library or realm. Never throws: a value whose `then` cannot be read is none. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    readable(() => typeof value === 'object' && typeof (value as PromiseLike<unknown>).then === 'function') ?? false
  );
}
