import { isDeepStrictEqual } from 'node:util';
import { IdempotencyConflictError } from '../errors.js';
import { isFinal, type TaskCall, type TaskState, type Uniqueness } from './task.js';

/** Whether a task in this state stands for later equal calls. */
export function standsForLaterCalls(state: TaskState, unique: Uniqueness): boolean {
  return unique.while === 'retained' || !isFinal(state);
}

/**
 * Checks that a call with an idempotency key has the arguments of the earlier task.
 *
 * @throws IdempotencyConflictError
 */
export function refuseConflict(
  { unique, args }: TaskCall,
  earlier: { readonly id: string; readonly args: unknown },
): void {
  if (unique?.idempotencyKey === undefined || isDeepStrictEqual(earlier.args, args)) return;
  throw new IdempotencyConflictError(unique.idempotencyKey, earlier.id);
}
