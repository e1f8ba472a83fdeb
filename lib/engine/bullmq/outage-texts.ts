import { ConfigurationError, EngineUnavailableError } from '../../errors.js';
import { bareError, bareMessage } from '../bare-error.js';
import { withRefusal, type Refusal } from '../refusal.js';
import type { Driver } from './driver.js';

type Store = Pick<Driver, 'address' | 'isForbidden' | 'isAnswer'>;

/**
 * The error of a call that the store did not take.
 *
 * @param what names the call
 * @param tried what was tried until then
 */
export function unavailableError(store: Store, what: string, error: Error, tried = ''): EngineUnavailableError {
  const problem = store.isForbidden(error) || store.isAnswer(error) ? 'refuses it' : 'cannot be reached';
  const text =
    error instanceof ConfigurationError ? error.message : `${store.address} ${problem} (${reasonOf(error)}${tried}).`;
  return withRefusal(
    new EngineUnavailableError(`${what}: ${text}`, { cause: bareError(error) }),
    refusalOf(store, error),
  );
}

/** The line of the log when an outage begins. */
export function beginningOf(store: Store, error: Error, what = 'a call'): string {
  const { address } = store;
  // The message has the address, and may end with a command to run.
  if (error instanceof ConfigurationError) return `Trying again until the tasks can be used: ${error.message}`;
  if (store.isForbidden(error)) {
    return (
      `${address} refuses ${what}: ${reasonOf(error)}. Trying again until this process may do that: ` +
      '"Roles and rights" in docs/running.md has the rights that it needs.'
    );
  }
  if (store.isAnswer(error))
    return `${address} answers and refuses ${what}: ${reasonOf(error)}. Trying again until it takes calls.`;
  return `${address} cannot be reached: ${reasonOf(error)}. Trying again until it can.`;
}

/** The line of the log when an error turns out to be no outage, because the store answers. */
export function hiccupOf(store: Store, error: Error, what = 'a call'): string {
  return store.isAnswer(error)
    ? `${store.address} has refused ${what} (${reasonOf(error)}). It is tried again.`
    : `A connection to ${store.address} broke (${reasonOf(error)}). A new one is made.`;
}

function refusalOf(store: Store, error: Error): Refusal | undefined {
  if (store.isForbidden(error)) return 'forbidden';
  if (!(error instanceof ConfigurationError)) return store.isAnswer(error) ? 'refuses' : undefined;
  // Its cause is what the store said, for example that a password is wrong.
  return store.isForbidden(error.cause ?? error) ? 'forbidden' : 'refuses';
}

function reasonOf(error: Error): string {
  return bareMessage(error).replace(/\.$/, '');
}
