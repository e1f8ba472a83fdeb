/**
 * Every error this package throws. Each has a stable `code`, so that callers can branch without `instanceof`, and a
 * message that names the culprit and the cure.
 */
export abstract class TaskQueueError extends Error {
  /** Stable and machine-readable, for example `ENGINE_UNAVAILABLE`. */
  abstract readonly code: string;

  override get name(): string {
    return this.constructor.name;
  }
}

/** An option, a decorator or an environment variable is wrong. Thrown while the application starts. */
export class ConfigurationError extends TaskQueueError {
  readonly code = 'CONFIGURATION';
}

/** Two methods declare a task of the same name. Thrown while the application starts. */
export class DuplicateTaskError extends TaskQueueError {
  readonly code = 'DUPLICATE_TASK';

  constructor(name: string, first: string, second: string) {
    super(
      `Two tasks are named "${name}": ${first} and ${second}. Give one of them another name: @Task('another.name').`,
    );
  }
}

/** No process that consumes the queue declares a task of this name. */
export class UnknownTaskError extends TaskQueueError {
  readonly code = 'UNKNOWN_TASK';
}

/** There is no such task: it never existed, it was forgotten, or its time to live is over. */
export class TaskNotFoundError extends TaskQueueError {
  readonly code = 'TASK_NOT_FOUND';

  constructor(readonly id: string) {
    super(`There is no task "${shorten(id)}": it never existed, was forgotten, or its result has expired.`);
  }
}

/** There is no schedule of this id. */
export class ScheduleNotFoundError extends TaskQueueError {
  readonly code = 'SCHEDULE_NOT_FOUND';

  constructor(readonly id: string) {
    super(`There is no schedule "${shorten(id)}". TaskSchedules.list() tells which there are.`);
  }
}

/** A value does not survive JSON. `path` tells where it is, for example `args[0].when`. */
export class NotSerializableError extends TaskQueueError {
  readonly code = 'NOT_SERIALIZABLE';

  constructor(
    readonly path: string,
    reason: string,
  ) {
    super(`${path} ${reason}`);
  }
}

/** The arguments do not fit the task: refused by its schema or pipes, or a job without the form `{ args: [...] }`. */
export class InvalidArgumentsError extends TaskQueueError {
  readonly code = 'INVALID_ARGUMENTS';

  constructor(
    message: string,
    /** What the validator said, one entry for each problem. */
    readonly issues: readonly { readonly path: string; readonly message: string }[] = [],
  ) {
    super(message);
  }
}

/** The JSON of the arguments or of a result is larger than `maxPayload`. Sizes are bytes of UTF-8. */
export class PayloadTooLargeError extends TaskQueueError {
  readonly code = 'PAYLOAD_TOO_LARGE';

  constructor(
    what: string,
    readonly size: number,
    readonly limit: number,
  ) {
    super(
      `${what} are ${size} bytes of JSON, the limit is ${limit}. Store the data elsewhere and pass a reference, ` +
        'or raise the option maxPayload.',
    );
  }
}

/** The same idempotency key was used before with other arguments. */
export class IdempotencyConflictError extends TaskQueueError {
  readonly code = 'IDEMPOTENCY_CONFLICT';

  constructor(
    readonly key: string,
    readonly id: string,
  ) {
    super(`The idempotency key "${shorten(key)}" was used for task ${id} with other arguments.`);
  }
}

/** The engine did not answer within `enqueueTimeout`. What was to be stored may be tried again without harm. */
export class EngineUnavailableError extends TaskQueueError {
  readonly code = 'ENGINE_UNAVAILABLE';
}

/** What `handle.result()` rejects with when the task failed. `cause` carries the task's own error. */
export class TaskFailedError extends TaskQueueError {
  readonly code: string = 'TASK_FAILED';
  declare readonly cause: { readonly name: string; readonly message: string; readonly code?: string };

  constructor(
    readonly id: string,
    readonly task: string,
    cause: { readonly name: string; readonly message: string; readonly code?: string },
    message = `Task ${task} (${id}) failed: ${cause.message}`,
  ) {
    super(message, { cause });
  }
}

/** A workflow failed by one of its members: it was cancelled, expired, was removed, or failed as `cause` says. */
export class WorkflowFailedError extends TaskFailedError {
  override readonly code = 'WORKFLOW_FAILED';
  /** The member that failed. */
  readonly member: { readonly id: string; readonly task: string };
  /** Its place in its own chain or group, 0 for the first. */
  readonly position: number;

  constructor(
    id: string,
    task: string,
    message: string,
    member: {
      readonly id: string;
      readonly task: string;
      readonly position: number;
      readonly error: { readonly name: string; readonly message: string; readonly code?: string };
    },
  ) {
    super(id, task, member.error, message);
    this.member = { id: member.id, task: member.task };
    this.position = member.position;
  }
}

/** The task was cancelled: what `handle.result()` rejects with, and the reason of the running task's `signal`. */
export class TaskCancelledError extends TaskQueueError {
  readonly code = 'TASK_CANCELLED';

  /** @param reason what the caller of `cancel(reason)` said */
  constructor(reason = 'The task was cancelled.') {
    super(reason);
  }
}

/** The task was not started before its `expires` time, so it never ran. */
export class TaskExpiredError extends TaskQueueError {
  readonly code = 'TASK_EXPIRED';

  constructor(message = 'The task was not started before its expiry time.') {
    super(message);
  }
}

/** One attempt took longer than the task's `timeout`. */
export class TaskTimeoutError extends TaskQueueError {
  readonly code = 'TASK_TIMEOUT';
}

/** `handle.result({ timeout })` waited long enough; the task itself goes on. */
export class ResultTimeoutError extends TaskQueueError {
  readonly code = 'RESULT_TIMEOUT';
}

/** The process that ran the task died, and the task may not be run again. */
export class WorkerLostError extends TaskQueueError {
  readonly code = 'WORKER_LOST';
}

/** The reason of a running task's `signal` when its process closes: the task is given back and runs again elsewhere. */
export class WorkerClosingError extends TaskQueueError {
  readonly code = 'WORKER_CLOSING';

  constructor() {
    super('This process closes; the task runs again elsewhere.');
  }
}

/** Quoted input stays readable in a log, whatever somebody sent. */
function shorten(text: string): string {
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
