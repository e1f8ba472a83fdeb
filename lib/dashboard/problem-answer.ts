import {
  ActRefusedError,
  ConfigurationError,
  EngineUnavailableError,
  InvalidArgumentsError,
  NotSerializableError,
  PayloadTooLargeError,
  QueueFullError,
  RetryRefusedError,
  ScheduleNotFoundError,
  TaskNotFoundError,
  TaskQueueError,
  WorkerNotFoundError,
} from '../errors.js';

/** A refusal in the form of RFC 9457. Administrators get the whole message, which clients of the application do not. */
export interface ProblemAnswer {
  readonly type: 'about:blank';
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: string;
}

type ErrorClass = abstract new (...args: never[]) => Error;

const STATUSES: readonly (readonly [classes: readonly ErrorClass[], status: number, title: string])[] = [
  [[TaskNotFoundError, ScheduleNotFoundError, WorkerNotFoundError], 404, 'Not Found'],
  [[InvalidArgumentsError, NotSerializableError, ConfigurationError], 400, 'Bad Request'],
  [[ActRefusedError, RetryRefusedError], 409, 'Conflict'],
  [[PayloadTooLargeError], 413, 'Content Too Large'],
  [[EngineUnavailableError, QueueFullError], 503, 'Service Unavailable'],
];

/** A refusal of the dashboard itself. */
export class DashboardRefusal extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** @returns `undefined` for an error that is a fault of the application or of this package */
export function problemAnswerOf(error: unknown): ProblemAnswer | undefined {
  if (error instanceof DashboardRefusal) return problem(error.status, error.title, error.message, error.code);
  if (!(error instanceof TaskQueueError)) return undefined;
  const found = STATUSES.find(([classes]) => classes.some((type) => error instanceof type));
  return found && problem(found[1], found[2], error.message, error.code);
}

export function internalProblem(): ProblemAnswer {
  return problem(
    500,
    'Internal Server Error',
    'The application failed while it answered. Its log has the error.',
    'INTERNAL_ERROR',
  );
}

function problem(status: number, title: string, detail: string, code: string): ProblemAnswer {
  return { type: 'about:blank', title, status, detail, code };
}
