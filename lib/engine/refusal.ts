import type { EngineUnavailableError } from '../errors.js';

/**
 * Why an engine did not do what it was asked, although it may well be there. `forbidden`: it answers, and does not let this process do that.
 * `refuses`: it answers, and serves no such call, or not with these settings. `closed`: the application closes.
 */
export type Refusal = 'forbidden' | 'refuses' | 'closed';

const REFUSALS = new WeakMap<EngineUnavailableError, Refusal>();

/** Marks an error for {@link refusalOf}. @returns the same error */
export function withRefusal(error: EngineUnavailableError, refusal: Refusal | undefined): EngineUnavailableError {
  if (refusal !== undefined) REFUSALS.set(error, refusal);
  return error;
}

/** @returns `undefined` when the engine could not be reached, as far as this process knows */
export function refusalOf(error: EngineUnavailableError): Refusal | undefined {
  return REFUSALS.get(error);
}
