import type { Signature } from '../workflows/signature.js';

/**
 * What the methods of `TaskContext` throw to end a run. They are decisions and no errors, so no filter, interceptor or
 * retry rule changes them.
 */
export type RunDecision = RunAgainLater | NoMoreAttempts | BecomeAnother;

/** Thrown by `TaskContext.retry({ in })`. */
export class RunAgainLater extends Error {
  override readonly name = 'RunAgainLater';

  constructor(readonly delay: number) {
    super(`The task asks to run again in ${delay} ms.`);
  }
}

/** Thrown by `TaskContext.fail(message)`. */
export class NoMoreAttempts extends Error {
  /** The status of the task shows this name to callers. */
  override readonly name = 'TaskFailedError';

  /** @param instead the error that the task fails with in place of this one; it need not be meant for callers */
  constructor(
    message: string,
    readonly instead?: { readonly error: unknown },
  ) {
    super(message);
  }
}

/** Thrown by `TaskContext.replaceWith(signature)`. */
export class BecomeAnother extends Error {
  override readonly name = 'BecomeAnother';

  constructor(readonly signature: Signature<void>) {
    super(`The task becomes ${String(signature)}.`);
  }
}

export function isRunDecision(error: unknown): error is RunDecision {
  return error instanceof RunAgainLater || error instanceof NoMoreAttempts || error instanceof BecomeAnother;
}
