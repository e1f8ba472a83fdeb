import type { ArgumentsHost, ContextType } from '@nestjs/common';
import type { TaskContext } from '../task-context.js';

/**
 * What `ExecutionContext.getType()` can be in an application with tasks.
 *
 * @example if (context.getType<TaskContextType>() === 'task') { … }
 */
export type TaskContextType = ContextType | 'task';

/** By the list of arguments: that is what all the execution contexts of one run have in common. */
const contexts = new WeakMap<readonly unknown[], TaskContext>();

/**
 * The running task, in a guard, interceptor or filter: what `context.switchToHttp()` is for a request. One that Nest
 * creates can have {@link TaskContext} injected instead. The task's arguments are `context.getArgs()`.
 *
 * @throws Error when the context is not that of a task
 * @example
 * canActivate(context: ExecutionContext) {
 *   if (context.getType<TaskContextType>() !== 'task') return true;
 *   return getTaskContext(context).headers['tenant'] !== undefined;
 * }
 */
export function getTaskContext(context: ArgumentsHost): TaskContext {
  const task = contexts.get(context.getArgs());
  if (task) return task;
  throw new Error(
    `getTaskContext() was given an execution context of type "${context.getType()}". ` +
      `Ask first whether context.getType<TaskContextType>() is 'task'.`,
  );
}

/** @internal */
export function provideTaskContext(args: readonly unknown[], context: TaskContext): void {
  contexts.set(args, context);
}
