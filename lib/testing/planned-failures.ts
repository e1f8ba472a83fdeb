import type { RegisteredTask } from '../tasks/task-registry.js';
import { RefusedCall } from '../workers/enhancers/refused-call.js';
import { toFailure } from '../workers/failure.js';

/** The errors that the next attempts of tasks fail with, instead of running, and what the last attempts threw. */
export class PlannedFailures {
  private readonly planned = new Map<string, { readonly error: unknown; left: number }[]>();
  /** What the last attempt of each task threw, with the guards, pipes, interceptors and filters around it. */
  private readonly thrown = new Map<string, unknown>();

  /** @param times attempts that fail */
  add(name: string, error: unknown, times: number): void {
    const plans = this.planned.get(name) ?? [];
    plans.push({ error, left: times });
    this.planned.set(name, plans);
  }

  /** The task with the planned failures. It remembers what the task threw. */
  around({ definition, invoker }: RegisteredTask): RegisteredTask {
    const { name } = definition;
    const invoke = async (args: readonly unknown[]): Promise<unknown> => {
      try {
        this.throwPlanned(name);
        return await invoker.invoke(args);
      } catch (error) {
        this.thrown.set(name, error instanceof RefusedCall ? error.cause : error);
        throw error;
      }
    };
    return { definition, invoker: { ...(invoker.admit && { admit: (args) => invoker.admit!(args) }), invoke } };
  }

  /** The error that a task of this name threw last, if the failure with this message came from it. */
  lastThrown(name: string, message: string): Error | undefined {
    const error = this.thrown.get(name);
    return error instanceof Error && toFailure(error).message === message ? error : undefined;
  }

  clear(): void {
    this.planned.clear();
    this.thrown.clear();
  }

  private throwPlanned(name: string): void {
    const plans = this.planned.get(name);
    const plan = plans?.[0];
    if (!plan) return;
    if (--plan.left === 0) plans.shift();
    throw plan.error;
  }
}
