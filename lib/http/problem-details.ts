import { HttpException } from '@nestjs/common';
import {
  EngineUnavailableError,
  IdempotencyConflictError,
  InvalidArgumentsError,
  NotSerializableError,
  PayloadTooLargeError,
  QueueFullError,
  RetryRefusedError,
  TaskNotFoundError,
} from '../errors.js';

export const PROBLEM_TYPE = 'application/problem+json; charset=utf-8';

/**
 * The body of a refusal (RFC 9457). `type` is `about:blank`: the status needs no explanation. `code` names the error.
 */
export interface ProblemDetails {
  readonly type: 'about:blank';
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  /** The `code` of the error that caused the refusal. */
  readonly code: string;
  /** One entry for each invalid value of the request. */
  readonly errors?: readonly { readonly path: string; readonly message: string }[];
}

/** A refusal: the body, and the headers that belong to it. */
export interface Problem {
  readonly body: ProblemDetails;
  readonly headers: Readonly<Record<string, string>>;
}

/** Seconds after which a client may repeat its request when the engine cannot be reached. */
const RETRY_AFTER_OUTAGE = '5';

/** Seconds after which a client may repeat a request whose task does not fit into its queue. */
const RETRY_AFTER_FULL = '5';

/** Seconds after which a client may repeat a request that exceeded a limit of held requests. */
const RETRY_AFTER_LIMIT = '5';

/** A request cannot be held open, because too many requests are: of its client, or of all clients. */
export class HeldLimitError extends Error {
  readonly code = 'TOO_MANY_HELD_REQUESTS';

  constructor(readonly of: 'client' | 'all') {
    super(`Too many requests are open${of === 'client' ? ' for this client' : ''}.`);
  }
}

/**
 * Turns an error of this package into a refusal for the client; `undefined` for every other error. The detail is
 * another text than the error's message where that message is for operators (hosts, options to change) or names the
 * task of another client.
 */
export function problemOf(error: unknown): Problem | undefined {
  // Unknown, expired, malformed and forbidden ids get the same text, so that a client cannot tell them apart.
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
  if (error instanceof RetryRefusedError)
    return problem(409, 'Conflict', 'The task is unique, and an equal task has not ended.', error);
  if (error instanceof PayloadTooLargeError) {
    const detail = `The task's arguments are ${error.size} bytes of JSON, the limit is ${error.limit}.`;
    return problem(413, 'Content Too Large', detail, error);
  }
  if (error instanceof EngineUnavailableError) {
    const { body, headers } = problem(503, 'Service Unavailable', 'Tasks cannot be reached at the moment.', error);
    return { body, headers: { ...headers, 'Retry-After': RETRY_AFTER_OUTAGE } };
  }
  if (error instanceof QueueFullError) {
    const { body, headers } = problem(503, 'Service Unavailable', 'Too many tasks wait at the moment.', error);
    return { body, headers: { ...headers, 'Retry-After': RETRY_AFTER_FULL } };
  }
  if (error instanceof HeldLimitError) {
    const [status, title] =
      error.of === 'client' ? ([429, 'Too Many Requests'] as const) : ([503, 'Service Unavailable'] as const);
    const { body, headers } = problem(status, title, error.message, error);
    return { body, headers: { ...headers, 'Retry-After': RETRY_AFTER_LIMIT } };
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
 * Replaces an error that leaves a handler, such as an error of `enqueue`. A filter for `HttpException` or for all
 * errors gets the right status and body from this exception, and the original error as its `cause`.
 */
export class TaskProblemException extends HttpException {
  constructor({ body }: Problem, cause: unknown) {
    super(body, body.status, { cause });
    this.message = body.detail;
  }
}
