import type { ArgumentsHost, ContextType } from '@nestjs/common';
import type { TaskContext } from '../task-context.js';

/**
 * The values of `ExecutionContext.getType()` in an application with tasks: the values of Nest, and `'task'`.
 *
 * @example
 * ```ts
 * if (context.getType<TaskContextType>() === 'task') { … }
 * ```
 */
export type TaskContextType = ContextType | 'task';

/** The context by the list of arguments, which is the same list in all execution contexts of a run. */
const contexts = new WeakMap<readonly unknown[], TaskContext>();

/**
 * Returns the running task in a guard, an interceptor or a filter, as `context.switchToHttp()` returns the request. An
 * enhancer that Nest creates can inject {@link TaskContext} instead. The arguments of the task are `context.getArgs()`.
 *
 * @param context the execution context or the arguments host that the enhancer got
 * @throws Error when the context does not belong to a task; check `context.getType()` first
 * @example
 * ```ts
 * canActivate(context: ExecutionContext) {
 *   if (context.getType<TaskContextType>() !== 'task') return true;
 *   return getTaskContext(context).headers['tenant'] !== undefined;
 * }
 * ```
 */
export function getTaskContext(context: ArgumentsHost): TaskContext {
  const task = contexts.get(context.getArgs());
  if (task) return task;
  throw new Error(
    `getTaskContext() was given an execution context of type "${context.getType()}". ` +
      `Check first that context.getType<TaskContextType>() is 'task'.`,
  );
}

/** @internal */
export function provideTaskContext(args: readonly unknown[], context: TaskContext): void {
  contexts.set(args, context);
}
