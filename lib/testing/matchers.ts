import type { TaskContract, TaskFunction } from '../tasks/task-contract.js';
import { unexpectedTasks } from './differences.js';
import type { ExpectedArguments, TaskClass, TaskFunctionOf, TaskMethodOf } from './task-source.js';
import type { TaskTesting } from './task-testing.js';

/**
 * The matchers for `expect(tasks)`, where `tasks` is the `TaskTesting` of the application.
 *
 * @typeParam R what a matcher returns in the test runner
 */
export interface TaskMatchers<R = unknown> {
  /** A task is enqueued, with these arguments unless they are left out. */
  toHaveEnqueued<T>(source: TaskClass<T>): R;
  toHaveEnqueued<T, M extends TaskMethodOf<T>>(
    source: TaskClass<T>,
    method: M,
    args?: ExpectedArguments<TaskFunctionOf<T, M>>,
  ): R;
  toHaveEnqueued<F extends TaskFunction>(source: TaskContract<F>, args?: ExpectedArguments<F>): R;
}

/**
 * The matchers, for `expect.extend(taskMatchers)` of Jest and Vitest. Where `expect` is global, the import of this module
 * is enough.
 *
 * @example
 * import { taskMatchers } from 'nestjs-task-queue/testing/matchers';
 *
 * expect.extend(taskMatchers);
 * expect(tasks).toHaveEnqueued(MailTasks, 'welcome', [17]);
 */
export const taskMatchers = {
  toHaveEnqueued(
    received: unknown,
    source: unknown,
    ...rest: unknown[]
  ): { readonly pass: boolean; readonly message: () => string } {
    if (typeof received !== 'object' || received === null || !('check' in received)) {
      throw new TypeError(
        'expect(…).toHaveEnqueued() takes the TaskTesting of the application: moduleRef.get(TaskTesting).',
      );
    }
    const { found, what, message } = (received as TaskTesting).check(source as TaskContract, ...rest);
    const pass = found.length > 0;
    return { pass, message: () => (pass ? unexpectedTasks(what, found) : message) };
  },
};

(globalThis as { expect?: { extend?: (matchers: typeof taskMatchers) => void } }).expect?.extend?.(taskMatchers);

declare global {
  // `@types/jest` declares its matchers there.
  namespace jest {
    interface Matchers<R, T> extends TaskMatchers<R> {}
  }
}
