import { HttpException, HttpStatus, type PipeTransform } from '@nestjs/common';
import { InvalidArgumentsError } from '../../errors.js';
import { isValidator } from './argument-pipes.js';

/** A guard or a pipe refused the call: no other attempt would end differently. `cause` is what the task fails with. */
export class RefusedCall extends Error {
  constructor(override readonly cause: unknown) {
    super('A guard or a pipe refused the call.', { cause });
  }
}

/** Client errors that say "not now" rather than "not so". */
const NOT_NOW: ReadonlySet<number> = new Set([HttpStatus.REQUEST_TIMEOUT, 425, HttpStatus.TOO_MANY_REQUESTS]);

/**
 * Whether what a guard or a pipe threw is a refusal. A client error (400, 401, 403, 404 …) is one. Anything else, like a
 * database that does not answer a guard, is a failure as any other and may be retried.
 */
export function isRefusal(error: unknown): boolean {
  if (error instanceof InvalidArgumentsError) return true;
  if (!(error instanceof HttpException)) return false;
  const status = error.getStatus();
  return status >= 400 && status < 500 && !NOT_NOW.has(status);
}

/** A `ValidationPipe` refuses with whatever its `exceptionFactory` makes. */
export function isRefusedBy(pipe: PipeTransform, error: unknown): boolean {
  return isValidator(pipe) || isRefusal(error);
}
