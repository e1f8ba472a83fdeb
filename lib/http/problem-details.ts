import { HttpException } from '@nestjs/common';
import {
  EngineUnavailableError,
  IdempotencyConflictError,
  InvalidArgumentsError,
  NotSerializableError,
  PayloadTooLargeError,
  TaskNotFoundError,
} from '../errors.js';

export const PROBLEM_TYPE = 'application/problem+json; charset=utf-8';

/** The body of a refusal (RFC 9457). `type` is `about:blank`: the status says it all, `code` says which error it was. */
export interface ProblemDetails {
  readonly type: 'about:blank';
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  /** The `code` of the error behind it. */
  readonly code: string;
  /** What is wrong where, when the request's values are. */
  readonly errors?: readonly { readonly path: string; readonly message: string }[];
}

/** A refusal, and the headers that go with its body. */
export interface Problem {
  readonly body: ProblemDetails;
  readonly headers: Readonly<Record<string, string>>;
}

/** Seconds after which a client may try again when the engine was out of reach. */
const TRY_AGAIN_AFTER = '5';

/**
 * How an error of this package is told to a client; `undefined` for what is none of its business. Details are written
 * anew where the error's own message is for operators (hosts, options to change) or names somebody else's task.
 */
export function problemOf(error: unknown): Problem | undefined {
  // One text for unknown, expired, malformed and refused, so that nobody learns which it was.
  if (error instanceof TaskNotFoundError) return problem(404, 'Not Found', 'There is no such task.', error);
  if (error instanceof InvalidArgumentsError) {
    return problem(
      400,
      'Bad Request',
      error.message,
      error,
      error.issues.map(({ path, message }) => ({ path, message })),
    );
  }
  if (error instanceof NotSerializableError) {
    return problem(400, 'Bad Request', error.message, error, [{ path: error.path, message: error.message }]);
  }
  if (error instanceof IdempotencyConflictError) {
    return problem(409, 'Conflict', 'This idempotency key was used before, with other arguments.', error);
  }
  if (error instanceof PayloadTooLargeError) {
    const detail = `The task's arguments are ${error.size} bytes of JSON, the limit is ${error.limit}.`;
    return problem(413, 'Content Too Large', detail, error);
  }
  if (error instanceof EngineUnavailableError) {
    const { body, headers } = problem(503, 'Service Unavailable', 'Tasks cannot be reached at the moment.', error);
    return { body, headers: { ...headers, 'Retry-After': TRY_AGAIN_AFTER } };
  }
  return undefined;
}

function problem(
  status: number,
  title: string,
  detail: string,
  { code }: { readonly code: string },
  errors?: ProblemDetails['errors'],
): Problem {
  const body: ProblemDetails = { type: 'about:blank', title, status, detail, code, ...(errors && { errors }) };
  return { body, headers: { 'Content-Type': PROBLEM_TYPE, 'Cache-Control': 'no-store' } };
}

/**
 * An enqueue error on its way out of a handler: filters for `HttpException`, and those for everything, find the right
 * status and body in it, and the error itself as `cause`.
 */
export class TaskProblemException extends HttpException {
  constructor({ body }: Problem, cause: unknown) {
    super(body, body.status, { cause });
    this.message = body.detail;
  }
}
