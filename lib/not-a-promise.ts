import { ConfigurationError } from './errors.js';

/**
 * The answer of a function of the application that has to answer at once. A promise in its place counts as true in JavaScript, whatever
 * it resolves with, and ends the process when it rejects and nobody waits for it.
 *
 * @param what names the function
 * @throws ConfigurationError when the answer is a promise, whose rejection is then handled
 */
export function notAPromise<T>(answer: T, what: string): T {
  if (!isThenable(answer)) return answer;
  Promise.resolve(answer).catch(() => undefined);
  throw new ConfigurationError(`${what} returned a promise. It has to answer at once: make the function synchronous.`);
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}
