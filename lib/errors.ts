/**
 * The base class of all errors that this package throws. Each class has a stable `code`, so that callers can branch
 * without `instanceof`, and a message that names the cause and the cure.
 *
 * @example
 * ```ts
 * try {
 *   await handle.result({ timeout: '10s' });
 * } catch (error) {
 *   if (error instanceof TaskQueueError && error.code === 'RESULT_TIMEOUT') return 'still running';
 *   throw error;
 * }
 * ```
 */
export abstract class TaskQueueError extends Error {
  /** A stable text for programs, for example `ENGINE_UNAVAILABLE`. */
  abstract readonly code: string;

  override get name(): string {
    return this.constructor.name;
  }
}

/**
 * An option, a decorator, an environment variable or a value that a method got is wrong, or an engine refuses the
 * connection for a reason that another attempt cannot heal, for example a wrong password.
 *
 * Thrown while the application starts, and by methods that get such a value, for example `enqueue()` and
 * `TaskSchedules.upsert()`. Code: `CONFIGURATION`. Correct the value that the message names.
 */
export class ConfigurationError extends TaskQueueError {
  readonly code = 'CONFIGURATION';
}

/**
 * Two methods declare a task of the same name, or one of them has the name of the other one among its aliases.
 *
 * Thrown while the application starts. Code: `DUPLICATE_TASK`. Give one of the tasks another name.
 */
export class DuplicateTaskError extends TaskQueueError {
  readonly code = 'DUPLICATE_TASK';

  /**
   * @param first the class and method that declared the name first
   * @param second the class and method that declared it again
   */
  constructor(name: string, first: string, second: string) {
    super(
      `Two tasks are named "${name}": ${first} and ${second}. Give one of them another name, @Task('another.name'), or remove the name from its aliases.`,
    );
  }
}

/**
 * A method or a name does not belong to a task.
 *
 * Thrown when a producer is made for a method without `@Task()`. A task fails with this error when no process that runs
 * its queue has declared its name for about five minutes. Code: `UNKNOWN_TASK`. Decorate the method, or correct the
 * name or the queue where the task is enqueued.
 */
export class UnknownTaskError extends TaskQueueError {
  readonly code = 'UNKNOWN_TASK';
}

/**
 * There is no task with this id: it never existed, it was forgotten, its time to live is over, or the transaction in which it
 * was enqueued has not committed.
 *
 * Thrown by the methods of `TaskHandle`. Code: `TASK_NOT_FOUND`. Keep results for longer with the option `results` or
 * `resultTtl` when callers come too late.
 */
export class TaskNotFoundError extends TaskQueueError {
  readonly code = 'TASK_NOT_FOUND';

  /**
   * @param id the id that was not found; it may be any text
   * @param reason why it was not found, where that is known
   */
  constructor(
    readonly id: string,
    reason = 'it never existed, was forgotten, or its result has expired.',
  ) {
    super(`There is no task "${shorten(id)}": ${reason}`);
  }
}

/**
 * There is no schedule with this id.
 *
 * Thrown by `pause()`, `resume()` and `runNow()` of `TaskSchedules`. Code: `SCHEDULE_NOT_FOUND`. `TaskSchedules.list()`
 * returns all schedules.
 */
export class ScheduleNotFoundError extends TaskQueueError {
  readonly code = 'SCHEDULE_NOT_FOUND';

  constructor(readonly id: string) {
    super(`There is no schedule "${shorten(id)}". TaskSchedules.list() returns all schedules.`);
  }
}

/**
 * An argument, a result, a header or a progress report cannot be represented in JSON without a change.
 *
 * Thrown by `enqueue()` and by `TaskContext.progress()`. A task whose result is such a value fails with this error.
 * Code: `NOT_SERIALIZABLE`. Send a plain object, a list, a text, a number, a boolean or `null` instead.
 */
export class NotSerializableError extends TaskQueueError {
  readonly code = 'NOT_SERIALIZABLE';

  /**
   * @param path the place of the value, for example `args[0].when`
   * @param reason the rest of the message, behind the path
   */
  constructor(
    readonly path: string,
    reason: string,
  ) {
    super(`${path} ${reason}`);
  }
}

/**
 * The arguments do not fit the task: its schema refused them, or a foreign client stored a job without the form
 * `{ args: [...] }`.
 *
 * Thrown by `enqueue()` when the task has a schema. A task whose arguments are refused by the worker fails with this
 * error, without another attempt. Code: `INVALID_ARGUMENTS`. Correct the arguments that `issues` names.
 */
export class InvalidArgumentsError extends TaskQueueError {
  readonly code = 'INVALID_ARGUMENTS';

  constructor(
    message: string,
    /** The problems that the schema reported, each with the path of the value. */
    readonly issues: readonly { readonly path: string; readonly message: string }[] = [],
  ) {
    super(message);
  }
}

/**
 * What is stored of the task cannot be read: another program changed it, or the store lost a part of it.
 *
 * A task fails with this error as soon as a worker takes it, and its status says so even before. Its method does not run.
 * Code: `UNREADABLE_TASK`. The message names the field. Remove the task with `forget()`, and enqueue it again.
 */
export class UnreadableTaskError extends TaskQueueError {
  readonly code = 'UNREADABLE_TASK';

  /** @param reason the field and what is wrong with it, without its value */
  constructor(reason: string) {
    super(
      `What is stored of the task cannot be read: ${reason}. Another program changed it, or the store lost a part of it. ` +
        'Remove the task with forget(), and enqueue it again.',
    );
  }
}

/**
 * The JSON of the arguments, of a result or of a progress report is larger than the option `maxPayload`, or the headers
 * are larger than 16 KiB.
 *
 * Thrown by `enqueue()` and by `TaskContext.progress()`. A task whose result is too large fails with this error. Code:
 * `PAYLOAD_TOO_LARGE`. Store the data elsewhere and pass a reference to it, or raise `maxPayload`.
 */
export class PayloadTooLargeError extends TaskQueueError {
  readonly code = 'PAYLOAD_TOO_LARGE';

  /**
   * @param what the name of the value in the message
   * @param size bytes of UTF-8
   * @param limit bytes of UTF-8
   */
  constructor(
    what: string,
    readonly size: number,
    readonly limit: number,
  ) {
    super(
      `${what}: ${size} bytes of JSON, but the limit is ${limit}. Store the data elsewhere and pass a reference, ` +
        'or raise the option maxPayload.',
    );
  }
}

/**
 * An earlier call used the same idempotency key with other arguments.
 *
 * Thrown by `enqueue()`; the call is not stored. Code: `IDEMPOTENCY_CONFLICT`. Use another key for other arguments.
 */
export class IdempotencyConflictError extends TaskQueueError {
  readonly code = 'IDEMPOTENCY_CONFLICT';

  /**
   * @param key the idempotency key
   * @param id the task of the earlier call
   */
  constructor(
    readonly key: string,
    readonly id: string,
  ) {
    super(`The idempotency key "${shorten(key)}" was used for task ${id} with other arguments.`);
  }
}

/**
 * A task that is unique is not run again, because an equal task has not ended.
 *
 * Thrown by `handle.retry()`; nothing changes. Code: `RETRY_REFUSED`. Retry the task once the other one has ended.
 */
export class RetryRefusedError extends TaskQueueError {
  readonly code = 'RETRY_REFUSED';

  /**
   * @param id the task that was to run again
   * @param name its name
   * @param other the id of the equal task that has not ended
   */
  constructor(
    readonly id: string,
    name: string,
    readonly other: string,
  ) {
    super(
      `Task ${name} (${id}) is not run again: it is unique, and the equal task ${other} has not ended. ` +
        'Retry it once that task has ended, or cancel that task.',
    );
  }
}

/**
 * There is no live worker with this id.
 *
 * Thrown by `TaskAdmin.shutdown()`; nothing changes. Code: `WORKER_NOT_FOUND`. `TaskAdmin.workers()` returns the workers.
 */
export class WorkerNotFoundError extends TaskQueueError {
  readonly code = 'WORKER_NOT_FOUND';

  /** @param why whether the worker is unknown or lost */
  constructor(
    readonly id: string,
    why: string,
  ) {
    super(`Worker "${shorten(id)}" cannot be reached: ${why} TaskAdmin.workers() returns the workers.`);
  }
}

/**
 * An administrator asked for something that the state of the task does not allow.
 *
 * Thrown by `promote()` and `update()` of `TaskAdmin`; nothing changes. Code: `ACT_REFUSED`. The message says why, and what to do
 * instead.
 */
export class ActRefusedError extends TaskQueueError {
  readonly code = 'ACT_REFUSED';

  /**
   * @param id the task
   * @param act what was asked for, as a participle: `promoted`
   * @param why the reason and the cure
   */
  constructor(
    readonly id: string,
    name: string,
    act: string,
    why: string,
  ) {
    super(`Task ${name} (${id}) is not ${act}: ${why}`);
  }
}

/**
 * A running task waits for a task that cannot start, because the waiting tasks keep every place of its queue.
 *
 * Thrown by `handle.result()` and `handle.updates()` inside of a task. Code: `SELF_WAIT`. Let the task become the other
 * one with `TaskContext.replaceWith()`, make both steps of a chain, or give the other task a queue of its own.
 */
export class SelfWaitError extends TaskQueueError {
  readonly code = 'SELF_WAIT';

  /**
   * @param id the awaited task
   * @param run the task that waits
   * @param places how many tasks of the queue this process runs at once
   * @param kept what the waiting tasks keep, and what else helps; default: the places of the queue
   */
  constructor(
    readonly id: string,
    run: {
      readonly id: string;
      readonly name: string;
      readonly queue: string;
      readonly calls?: ReadonlySet<string> | undefined;
    },
    places: number,
    kept: { readonly what: string; readonly cure: string } = {
      what: `places of the queue "${run.queue}"`,
      cure: 'give the awaited task another queue',
    },
  ) {
    // A batch cannot become another task.
    const cure = run.calls
      ? `Do not wait in the batch: make both a chain, or ${kept.cure}.`
      : `Let the task become the other one (return task.replaceWith(signature)), make them a chain, or ${kept.cure}.`;
    super(
      (run.calls?.has(id) ?? id === run.id)
        ? `Task ${run.name} (${id}) waits for its own result, which it can never have.`
        : `Task ${run.name} (${run.id}) waits for task ${id}, which can never start: tasks that wait keep all ${places} ` +
            `${kept.what}, and no other process can run it. ${cure}`,
    );
  }
}

/**
 * A queue has as many waiting tasks as its option `maxQueued` allows.
 *
 * Thrown by every method that enqueues; nothing of the call is stored. Over HTTP it is a `503` with `Retry-After`. Code:
 * `QUEUE_FULL`. Try again later, add workers, or raise `maxQueued`.
 */
export class QueueFullError extends TaskQueueError {
  readonly code = 'QUEUE_FULL';

  /**
   * @param queue the queue
   * @param limit its `maxQueued`
   * @param queued how many tasks waited when they were counted last
   * @param tasks how many tasks the call would have added
   */
  constructor(
    readonly queue: string,
    readonly limit: number,
    queued: number,
    tasks: number,
  ) {
    super(
      `The queue "${queue}" is full: ${queued} tasks wait in it, and its maxQueued is ${limit}, so ${tasks} more ${tasks === 1 ? 'is' : 'are'} not stored. ` +
        `Try again later, add workers, or raise queues: { ${queue}: { maxQueued } }.`,
    );
  }
}

/**
 * The engine did not answer within the option `enqueueTimeout`, or the application closes.
 *
 * Thrown by every method that stores or reads tasks and schedules. Code: `ENGINE_UNAVAILABLE`. Try again later. The
 * call may have been stored nevertheless, when only the answer was lost. Give calls an `idempotencyKey` so that trying
 * again cannot store them twice. `cause` is a copy of the driver's error with its name, code, message and stack, and nothing
 * of what was sent.
 */
export class EngineUnavailableError extends TaskQueueError {
  readonly code = 'ENGINE_UNAVAILABLE';
}

/**
 * The task failed for good: no attempt is left, or another attempt cannot help.
 *
 * `TaskHandle.result()` rejects with this error. Code: `TASK_FAILED`. `cause` describes the task's own error.
 */
export class TaskFailedError extends TaskQueueError {
  readonly code: string = 'TASK_FAILED';
  /** Name, message and code of the error that the task threw. Its class cannot cross the process boundary. */
  declare readonly cause: { readonly name: string; readonly message: string; readonly code?: string };

  /**
   * @param id the id of the task
   * @param task the name of the task
   */
  constructor(
    readonly id: string,
    readonly task: string,
    cause: { readonly name: string; readonly message: string; readonly code?: string },
    message = `Task ${task} (${id}) failed: ${cause.message}`,
  ) {
    super(message, { cause });
  }
}

/**
 * A workflow failed because one of its members failed, was cancelled, expired or was removed.
 *
 * `TaskHandle.result()` of the workflow rejects with this error. Code: `WORKFLOW_FAILED`. `member` names the member,
 * and `cause` describes its error.
 */
export class WorkflowFailedError extends TaskFailedError {
  override readonly code = 'WORKFLOW_FAILED';
  /** The member that made the workflow fail. */
  readonly member: { readonly id: string; readonly task: string };
  /** The position of the member in its own chain or group, 0 for the first. */
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

/**
 * A caller cancelled the task.
 *
 * `TaskHandle.result()` rejects with this error. It is also the reason of the running task's `signal`. Code:
 * `TASK_CANCELLED`.
 */
export class TaskCancelledError extends TaskQueueError {
  readonly code = 'TASK_CANCELLED';

  /** @param reason the reason that the caller gave to `cancel(reason)`; default "The task was cancelled." */
  constructor(reason?: string) {
    super(reason || 'The task was cancelled.');
  }
}

/**
 * The task did not start before its `expires` time, so it never ran.
 *
 * `TaskHandle.result()` rejects with this error. Code: `TASK_EXPIRED`. Add workers, or give the task more time.
 */
export class TaskExpiredError extends TaskQueueError {
  readonly code = 'TASK_EXPIRED';

  constructor(message = 'The task was not started before its expiry time.') {
    super(message);
  }
}

/**
 * One attempt took longer than the task's `timeout`.
 *
 * It is the reason of the running task's `signal`, and the error of the attempt, which may be retried. Code:
 * `TASK_TIMEOUT`.
 */
export class TaskTimeoutError extends TaskQueueError {
  readonly code = 'TASK_TIMEOUT';
}

/**
 * The time of `TaskHandle.result({ timeout })` is over. The task itself goes on.
 *
 * Code: `RESULT_TIMEOUT`. Call `result()` again, or cancel the task.
 */
export class ResultTimeoutError extends TaskQueueError {
  readonly code = 'RESULT_TIMEOUT';
}

/**
 * The process that ran the task died, closed, or lost its lock on the task.
 *
 * A task fails with this error when it may not run again: its delivery is `at-most-once`, or processes that ran it died
 * more than once. In a process that lost its lock it is the reason of the task's `signal`. Code: `WORKER_LOST`.
 */
export class WorkerLostError extends TaskQueueError {
  readonly code = 'WORKER_LOST';
}

/**
 * The process that runs the task closes, and the time `shutdown.grace` is over.
 *
 * It is the reason of the running task's `signal`. The task is given back and runs again elsewhere, unless its delivery
 * is `at-most-once`. Code: `WORKER_CLOSING`.
 */
export class WorkerClosingError extends TaskQueueError {
  readonly code = 'WORKER_CLOSING';

  constructor() {
    super('This process closes; the task runs again elsewhere.');
  }
}

/** Cuts a quoted input, which may be any text of a client, so that log lines stay readable. */
function shorten(text: string): string {
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
