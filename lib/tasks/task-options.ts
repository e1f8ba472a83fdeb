import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { Duration } from '../duration.js';
import type { BatchOptions } from './task-batch.js';
import type { IsolateOptions } from './task-isolation.js';

/**
 * The options of a task's declaration: of `@Task()`, `@TaskProcessor()`, `defineTask()` and the module's `defaults`.
 * The more specific declaration takes precedence: `@Task()` over `@TaskProcessor()` over the module's `defaults`.
 */
export interface TaskOptions {
  /**
   * The task's name, unique in the application: 1 to 200 characters without spaces, not beginning with `$`.
   * Default: `ClassName.method`.
   */
  readonly name?: string;
  /**
   * Earlier names of the task, the first one first. A worker runs what waits under one of them, and `taskQueue.of('old.name')`
   * gives the producer of this task. Calls are stored under `name`. Keys (`unique`, `idempotencyKey`) count under the first name,
   * and a `@Schedule()` without an id of its own keeps its pause and its last run. So an alias may be removed once nothing is stored
   * under it, nor under a key. An alias that is the name or an alias of another task makes the start of the application fail with
   * `DuplicateTaskError`. Default: none.
   *
   * @example
   * @Task({ aliases: ['OldReports.build'] })
   */
  readonly aliases?: readonly string[];
  /**
   * The queue in which the task's calls wait: 1 to 63 letters, digits, `_` or `-`, beginning with a letter or digit.
   * Default: `default`.
   */
  readonly queue?: string;
  /** Number of attempts after the first, 0 to 1000. Default: 0. */
  readonly retries?: number;
  /** How long to wait between two attempts. Default: exponential from 1 s to 10 min, with a jitter of 0.5. */
  readonly backoff?: BackoffOption;
  /**
   * The longest time one attempt may take. An attempt that takes longer is aborted through its `signal` and fails with
   * `TaskTimeoutError`. Default: no limit.
   */
  readonly timeout?: Duration;
  /**
   * Runs the method in a child process that has booted the same application, so that a method that computes blocks no other task, and
   * ends with certainty when its `timeout` is over: its signal is aborted, and 2 s later its process is killed. A method whose process
   * crashes or runs out of memory runs once more, and then fails with `WorkerLostError`. The option `isolation` of `forRoot()` names
   * the application; the worker command knows it. Cannot be combined with `batch`. Default: `false`.
   *
   * @example @Task({ isolate: { memory: '512mb' }, timeout: '30s' })
   */
  readonly isolate?: boolean | IsolateOptions;
  /**
   * A run that takes longer is logged with one warning, while it goes on: with the task's name, its id and the time taken so far.
   * Unlike `timeout`, it does not end the run. At least 1 ms. Default: no warning.
   */
  readonly slow?: Duration;
  /** A task that has not started this long after its enqueue never runs and becomes `expired`. Default: no limit. */
  readonly expires?: Duration;
  /**
   * 0 to 9, higher first. A priority other than 0 needs a queue with `priorities: true`; on another queue `enqueue()`
   * throws `ConfigurationError`. Default: 0.
   */
  readonly priority?: number;
  /** Errors that are worth another attempt: error classes, or a function that decides. Default: all errors. */
  readonly retryOn?: ErrorFilter;
  /** Errors that no further attempt can cure. They take precedence over `retryOn`. Default: none. */
  readonly giveUpOn?: ErrorFilter;
  /**
   * Keeps one task instead of several equal ones: the later call stores nothing and gets a handle of the earlier task,
   * with `deduplicated: true`. Default: each call is a task of its own.
   */
  readonly unique?: UniqueOption;
  /**
   * Checks the list of arguments, once where the task is enqueued and again where it runs. The schema sees the
   * arguments as they come out of JSON, in which a `Date` is ISO text. The method gets the schema's output. Every
   * Standard Schema library fits: zod, valibot, arktype. Default: no check.
   *
   * @example schema: z.tuple([z.string().email()])
   */
  readonly schema?: StandardSchemaV1<readonly unknown[] | unknown[]>;
  /** How long the result of a succeeded task is kept. Default: the module's `results.ttl`. */
  readonly resultTtl?: Duration;
  /** Whether the return value of the method is dropped instead of stored. Default: `false`. */
  readonly ignoreResult?: boolean;
  /**
   * What happens to a running task whose process died, lost its lock on the task, or closed before the task ended:
   *
   * - `at-least-once` (default): the task runs again.
   * - `at-most-once`: the task fails with `WorkerLostError`, because its progress is unknown.
   *
   * Retries after an error do not depend on this option: there the method itself reported that it failed.
   */
  readonly delivery?: 'at-least-once' | 'at-most-once';
  /**
   * `'job'`: the task also runs jobs that another producer of BullMQ stored under its name, such as those that waited for a
   * `@Processor()` of `@nestjs/bullmq`: `job.data` becomes the only argument of the method. Delayed and repeating jobs, retries,
   * priorities and keys stay as they were stored. Data that has both a list `args` and an object `headers` is a call of this
   * package. Default: such a job fails with `InvalidArgumentsError`.
   *
   * @example
   * @Task({ name: 'welcome', accepts: 'job' })
   * async welcome(data: { userId: number }): Promise<void> {} // stored by queue.add('welcome', { userId: 7 })
   */
  readonly accepts?: 'job';
  /**
   * Lets the method run once for many calls: it gets a {@link TaskBatch} of them, while each call keeps a handle, a result and
   * attempts of its own. The queue of such a task can have no other task. Default: one run for each call.
   */
  // eslint-disable-next-line typescript/no-explicit-any -- the arguments are those of one call
  readonly batch?: BatchOptions<any[]>;
}

/** The options that several tasks can share: those of `@TaskProcessor()` and of the module's `defaults`. */
export type SharedTaskOptions = Omit<TaskOptions, 'name' | 'aliases' | 'batch' | 'accepts'>;

/**
 * How long to wait before the next attempt: a strategy by name, or with its numbers. `delay` is the first wait
 * (default: 1 s). `fixed` repeats it, `exponential` doubles it after each attempt. `max` is the longest wait (default:
 * 10 min). `jitter` is the share of each wait that is random, 0 to 1 (default: 0.5).
 */
export type BackoffOption =
  | 'fixed'
  | 'exponential'
  | {
      readonly type: 'fixed' | 'exponential';
      readonly delay?: Duration;
      readonly max?: Duration;
      readonly jitter?: number;
    };

/**
 * Selects errors: an error class, several of them, or a function that gets the error and returns whether it matches.
 */
// eslint-disable-next-line typescript/no-explicit-any -- constructors of any arguments are error classes
export type ErrorFilter = ErrorClass | readonly ErrorClass[] | ((error: any) => boolean);

// eslint-disable-next-line typescript/no-explicit-any -- an error class may take any arguments
export type ErrorClass = abstract new (...args: any[]) => Error;

/** Which calls are equal, and how long an earlier task stands for later equal calls. */
export interface UniqueOption {
  /**
   * Returns a text of 1 to 255 characters. Calls with the same text are equal. Any other value, or an error that the
   * function throws, makes the call fail with `InvalidArgumentsError`. Default: all arguments are compared.
   */
  // eslint-disable-next-line typescript/no-explicit-any -- the arguments are those of the decorated method
  readonly key?: (...args: any[]) => string;
  /**
   * How long the earlier task stands for later ones:
   *
   * - `pending`: until it starts
   * - `running`: until it is final
   * - `retained`: until its record is removed
   */
  readonly while: 'pending' | 'running' | 'retained';
}

/** The options of one call: `producer.with({ ... }).enqueue(...)`. They take precedence over the task's declaration. */
export interface EnqueueOptions {
  /** The earliest time at which the task may start: a duration from now, or a `Date`. Default: at once. */
  readonly delay?: Duration | Date;
  /**
   * The time after which the task is no longer started and becomes `expired`: a duration from now, or a `Date`.
   * Default: the task's own `expires`.
   */
  readonly expires?: Duration | Date;
  /** 0 to 9, higher first; needs a queue with `priorities: true`. Default: the task's own `priority`. */
  readonly priority?: number;
  /** Number of attempts after the first, 0 to 1000. Default: the task's own `retries`. */
  readonly retries?: number;
  /** How long to wait between two attempts. Default: the task's own `backoff`. */
  readonly backoff?: BackoffOption;
  /** The longest time one attempt may take. Default: the task's own `timeout`. */
  readonly timeout?: Duration;
  /** Another queue than the task's own. A worker must consume it and declare the task. */
  readonly queue?: string;
  /**
   * Makes the call safe to repeat. As long as the first task with this key is stored, another call with the same key
   * and the same arguments stores nothing and gets a handle of the first task, with `deduplicated: true`. The same key
   * with other arguments throws `IdempotencyConflictError`. 1 to 255 characters without NUL; each task has its own
   * keys.
   *
   * A key that a client chose needs an {@link idempotencyScope}. Otherwise a client that sends the key of another client
   * gets the handle of the other client's task.
   */
  readonly idempotencyKey?: string;
  /**
   * A text that becomes part of the key, so that equal keys of different users or tenants never meet. 1 to 255
   * characters without NUL. It has no effect on a call without an `idempotencyKey`. Default: all calls of a task share
   * one scope.
   *
   * @example with({ idempotencyKey: request.headers['idempotency-key'], idempotencyScope: user.id })
   */
  readonly idempotencyScope?: string;
  /**
   * Texts that travel with the task, and on to the tasks which that task enqueues. They are for identifiers (a trace, a
   * tenant, a user) and may take 16 KiB of JSON.
   */
  readonly headers?: Readonly<Record<string, string>>;
}
