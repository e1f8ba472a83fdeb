import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { Duration } from '../duration.js';

/** What can be said of a task where it is declared. */
export interface TaskOptions {
  /** Default: `ClassName.method`. */
  readonly name?: string;
  /** Default: the queue of `@TaskProcessor`, else `default`. */
  readonly queue?: string;
  /** Attempts after the first; default 0. */
  readonly retries?: number;
  /** Wait between attempts; default exponential from 1s to 10m, with jitter. */
  readonly backoff?: BackoffOption;
  /** Limit of one attempt; default none. */
  readonly timeout?: Duration;
  /** A task that has not started so long after it was enqueued never runs; default none. */
  readonly expires?: Duration;
  /** 0 (default) to 9, higher first, on a queue with `priorities: true`. */
  readonly priority?: number;
  /** Errors that are worth another attempt; default all. */
  readonly retryOn?: ErrorFilter;
  /** Errors that no attempt will heal; these win over `retryOn`. Default none. */
  readonly giveUpOn?: ErrorFilter;
  /**
   * One task instead of several equal ones: enqueueing another gives the first one's handle, `deduplicated`. Default:
   * every call is a task of its own.
   */
  readonly unique?: UniqueOption;
  /**
   * Checks the list of arguments, as it comes out of JSON (a `Date` is ISO text there), where it is enqueued and again
   * where it runs; the method gets what the schema makes of it. Any Standard Schema will do: zod, valibot, arktype.
   *
   * @example schema: z.tuple([z.string().email()])
   */
  readonly schema?: StandardSchemaV1<readonly unknown[] | unknown[]>;
  /** How long its result can be asked for; default: the module's `results.ttl`. */
  readonly resultTtl?: Duration;
  /** Does not store what the method returns. */
  readonly ignoreResult?: boolean;
  /**
   * What becomes of a task whose process died, lost its hold on it or closed before it ended: it runs again
   * (`at-least-once`, default), or fails with `WorkerLostError`, for nobody knows how far it came (`at-most-once`).
   * Retries after an error are another matter: the method itself said that it failed.
   */
  readonly delivery?: 'at-least-once' | 'at-most-once';
}

/** A strategy by name, or with its numbers: `delay` is the (first) wait, `max` caps the growth, `jitter` is 0 to 1. */
export type BackoffOption =
  | 'fixed'
  | 'exponential'
  | {
      readonly type: 'fixed' | 'exponential';
      readonly delay?: Duration;
      readonly max?: Duration;
      readonly jitter?: number;
    };

/** Error classes, or what decides. */
// eslint-disable-next-line typescript/no-explicit-any -- constructors of any arguments are error classes
export type ErrorFilter = ErrorClass | readonly ErrorClass[] | ((error: any) => boolean);

// eslint-disable-next-line typescript/no-explicit-any -- an error class may take any arguments
export type ErrorClass = abstract new (...args: any[]) => Error;

/** Until when a task keeps equal ones away. */
export interface UniqueOption {
  /** What makes two calls equal; default: all arguments. */
  // eslint-disable-next-line typescript/no-explicit-any -- the arguments are those of the decorated method
  readonly key?: (...args: any[]) => string;
  /**
   * - `pending`: until it starts
   * - `running`: until it is final
   * - `retained`: as long as it can be asked for
   */
  readonly while: 'pending' | 'running' | 'retained';
}

/** What can be said of one call: `producer.with({ ... }).enqueue(...)`. */
export interface EnqueueOptions {
  /** Not before this: a duration from now, or a moment. */
  readonly delay?: Duration | Date;
  /** Not after this. */
  readonly expires?: Duration | Date;
  readonly priority?: number;
  readonly retries?: number;
  readonly backoff?: BackoffOption;
  readonly timeout?: Duration;
  readonly queue?: string;
  /**
   * The same key and arguments give the first task's handle, `deduplicated`, as long as that task can be asked for;
   * other arguments under the key are an `IdempotencyConflictError`. 1 to 255 characters, apart for each task.
   */
  readonly idempotencyKey?: string;
  /** Travel to the task, and on to what it enqueues. */
  readonly headers?: Readonly<Record<string, string>>;
}
