import { HttpException, HttpStatus, type PipeTransform } from '@nestjs/common';
import { InvalidArgumentsError } from '../../errors.js';
import { isValidator } from './argument-pipes.js';

/** A guard or a pipe refused the call, so another attempt would end in the same way. The task fails with `cause`. */
export class RefusedCall extends Error {
  constructor(override readonly cause: unknown) {
    super('A guard or a pipe refused the call.', { cause });
  }
}

/** Client errors after which a later attempt may succeed. */
const TEMPORARY: ReadonlySet<number> = new Set([HttpStatus.REQUEST_TIMEOUT, 425, HttpStatus.TOO_MANY_REQUESTS]);

/**
 * Whether an error of a guard or a pipe is a refusal. A client error (400, 401, 403, 404 …) is a refusal. Any other
 * error, for example when a guard cannot reach its database, may go away with another attempt.
 */
export function isRefusal(error: unknown): boolean {
  if (error instanceof InvalidArgumentsError) return true;
  if (!(error instanceof HttpException)) return false;
  const status = error.getStatus();
  return status >= 400 && status < 500 && !TEMPORARY.has(status);
}

/** Every error of a `ValidationPipe` is a refusal, because its `exceptionFactory` may return an error of any class. */
export function isRefusedBy(pipe: PipeTransform, error: unknown): boolean {
  return isValidator(pipe) || isRefusal(error);
}
