import { parseDuration, type Duration } from '../duration.js';
import type { Headers } from '../engine/task.js';
import { ConfigurationError } from '../errors.js';
import { checkFields, type FieldsOf } from '../option-fields.js';

/** Makes a batch a type of its own, so that no other list of arguments is taken for one. It does not exist at run time. */
declare const BATCH: unique symbol;

/** One call of a batch. Its task has a handle, a result and attempts of its own. */
export interface BatchCall<A extends readonly unknown[] = readonly unknown[]> {
  /** The id of the call's task. Of an item of a `map()`: the id of that task, and the number of the item behind it, `mail.x7:3`. */
  readonly id: string;
  /** The arguments of the call, as its guards, pipes and schema left them. */
  readonly args: A;
  /** The headers that the call was enqueued with. */
  readonly headers: Headers;
  /** The number of this attempt of the call, 1 for the first. */
  readonly attempt: number;
  /** Is aborted when this call is cancelled or its attempt has to end for another reason. The batch goes on. */
  readonly signal: AbortSignal;
  /**
   * Lets this call fail, even when it has attempts left. The others of the batch are not concerned. What the method returns for
   * this call is ignored.
   *
   * @param error the error that callers find as the cause of the failure. A text is meant for callers, so the HTTP endpoint
   * shows it in production too
   */
  fail(error: unknown): void;
  /**
   * Lets this call run again after the duration `in`, without using up an attempt. What the method returns for it is ignored.
   *
   * @throws ConfigurationError when `in` is not a duration
   */
  retry(options: { readonly in: Duration }): void;
}

/**
 * The calls that a method with the option `batch` gets together.
 *
 * @typeParam A the arguments of one call
 * @example
 * ```ts
 * @Task({ queue: 'rows', batch: { size: 500, wait: '200ms' } })
 * async store(calls: TaskBatch<[Row]>): Promise<void> {
 *   await this.rows.insert(calls.map(({ args: [row] }) => row));
 * }
 * ```
 */
export type TaskBatch<A extends readonly unknown[]> = readonly BatchCall<A>[] & { readonly [BATCH]: A };

/** How the calls of a task are put together. */
export interface BatchOptions<A extends readonly unknown[] = never> {
  /** The most calls that one run of the method gets, 1 to 10,000. */
  readonly size: number;
  /**
   * The longest time for which the first call waits for others, up to 1 minute. A full batch does not wait, nor does one in which a
   * call would expire.
   */
  readonly wait: Duration;
  /**
   * Returns a text. Only calls with the same text come into the same batch. Default: all calls of the task.
   *
   * @example key: (row: Row) => row.tenant
   */
  readonly key?: (...args: A) => string;
}

/** Checked options; `wait` in milliseconds. */
export interface BatchSettings {
  readonly size: number;
  readonly wait: number;
  readonly key: ((...args: readonly unknown[]) => unknown) | undefined;
}

const LARGEST_BATCH = 10_000;
const LONGEST_WAIT = 60_000;

const BATCH_OPTIONS: FieldsOf<BatchOptions> = { size: true, wait: true, key: true };

/** @throws ConfigurationError naming the option and its value */
export function checkBatch(options: BatchOptions, what: string): BatchSettings {
  checkFields<BatchOptions>(options, what, BATCH_OPTIONS, (name) => `${name} in ${what}`);
  const { size, wait, key } = options;
  if (!Number.isInteger(size) || size < 1 || size > LARGEST_BATCH)
    throw new ConfigurationError(`size in ${what} is ${String(size)}. Give a whole number from 1 to ${LARGEST_BATCH}.`);
  const milliseconds = parseDuration(wait, `wait in ${what}`);
  if (milliseconds > LONGEST_WAIT)
    throw new ConfigurationError(
      `wait in ${what} is ${JSON.stringify(wait)}, for which a worker would hold calls. Give at most 1 minute.`,
    );
  if (key !== undefined && typeof key !== 'function')
    throw new ConfigurationError(`key in ${what} is ${JSON.stringify(key)}. Give a function of the arguments.`);
  return { size, wait: milliseconds, key: key as BatchSettings['key'] };
}

/** Whether a type is a batch. `any` is none. */
type IsBatch<T> = 0 extends 1 & T ? false : typeof BATCH extends keyof T ? true : false;

/** The arguments of one call of a method that takes batches; `never` for any other method. */
export type BatchArguments<F> = F extends (calls: infer B, ...rest: never[]) => unknown
  ? IsBatch<B> extends true
    ? B extends { readonly [BATCH]: infer A extends readonly unknown[] }
      ? A
      : never
    : never
  : never;

/** The function that callers of a task call: for a method that takes batches, the function of one call. */
// eslint-disable-next-line typescript/no-explicit-any -- the only type every function is assignable to
export type CallOf<F extends (...args: any[]) => unknown> = [BatchArguments<F>] extends [never]
  ? F
  : (...args: BatchArguments<F>) => F extends (...args: never[]) => infer R ? ItemOf<Awaited<R>> : never;

/** The result of one call, as part of what the method returns for all. */
type ItemOf<R> = R extends readonly (infer I)[] ? I : void;
