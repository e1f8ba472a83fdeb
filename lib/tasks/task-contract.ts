import type { TaskOptions } from './task-options.js';

/** Any method that can be a task. */
// eslint-disable-next-line typescript/no-explicit-any -- the only type every function is assignable to
export type TaskFunction = (...args: any[]) => unknown;

declare const FUNCTION: unique symbol;

/**
 * A task's name, its options and, for the compiler, its function: all that a service needs to enqueue a task whose code
 * lives in another.
 */
export interface TaskContract<F extends TaskFunction = TaskFunction> {
  readonly name: string;
  readonly options: TaskOptions;
  /** Exists for the compiler alone. */
  readonly [FUNCTION]?: F;
}

/**
 * Declares a task that one service runs and another enqueues, without sharing code. The worker writes `@Task(charge)`,
 * the producer `@InjectTasks(charge)` or `taskQueue.of(charge)`.
 *
 * @example
 * export const charge = defineTask<(orderId: string, cents: number) => Promise<Receipt>>('billing.charge', { queue: 'billing' });
 */
export function defineTask<F extends TaskFunction>(
  name: string,
  options: Omit<TaskOptions, 'name'> = {},
): TaskContract<F> {
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
