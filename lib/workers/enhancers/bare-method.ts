import type { TaskInvoker } from '../../tasks/task-registry.js';
import type { TaskContext } from '../task-context.js';
import { endWithRun, resultOf } from './observable-result.js';
import type { TaskMethod } from './task-method.js';

/** Calls the method of a task without enhancers, at the cost of a plain method call. */
export class BareMethod implements TaskInvoker {
  constructor(
    private readonly method: TaskMethod,
    private readonly context: TaskContext,
  ) {}

  invoke(args: readonly unknown[]): unknown {
    const returned = this.method.call(args);
    return isThenable(returned) ? Promise.resolve(returned).then(this.finish) : this.finish(returned);
  }

  private readonly finish = (returned: unknown): unknown => resultOf(endWithRun(this.context.current(), returned));
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}
