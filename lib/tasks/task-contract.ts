import { declareQueue } from './declared-queues.js';
import type { TaskOptions } from './task-options.js';

/** Any method that can be a task. */
// eslint-disable-next-line typescript/no-explicit-any -- the only type every function is assignable to
export type TaskFunction = (...args: any[]) => unknown;

declare const FUNCTION: unique symbol;

/**
 * A task's name, its options and, for the compiler, the type of its function. With a contract a service can enqueue a
 * task whose code lives in another service. Create one with {@link defineTask}.
 */
export interface TaskContract<F extends TaskFunction = TaskFunction> {
  readonly name: string;
  readonly options: TaskOptions;
  /** Carries the function's type for the compiler. It does not exist at run time. */
  readonly [FUNCTION]?: F;
}

/**
 * Declares a task that one service runs and another service enqueues, without sharing the task's code. Both services
 * import the contract: the worker decorates its method with `@Task(charge)`, the producer uses `@InjectTasks(charge)`
 * or `taskQueue.of(charge)`.
 *
 * Both services must use the same queue. Set `queue` here, because the producer does not see the `@TaskProcessor()` of
 * the worker.
 *
 * A wrong option throws `ConfigurationError` where the contract is used: the worker does not start, and the producer is
 * not created.
 *
 * @typeParam F the type of the task's function
 * @param name the task's name: 1 to 200 characters without spaces, not beginning with `$`
 * @param options as for `@Task()`; the module's `defaults` apply to the options that are left out
 * @example
 * export const charge = defineTask<(orderId: string, cents: number) => Promise<Receipt>>('billing.charge', { queue: 'billing' });
 */
export function defineTask<F extends TaskFunction>(
  name: string,
  options: Omit<TaskOptions, 'name'> = {},
): TaskContract<F> {
  declareQueue(options.queue);
  return new Contract(name, Object.freeze({ ...options }));
}

class Contract<F extends TaskFunction> implements TaskContract<F> {
  declare readonly [FUNCTION]?: F;

  constructor(
    readonly name: string,
    readonly options: TaskOptions,
  ) {
    Object.freeze(this);
  }
}

export function isContract(value: unknown): value is TaskContract {
  return value instanceof Contract;
}
