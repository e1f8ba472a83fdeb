import { DuplicateTaskError } from '../errors.js';
import type { TaskDefinition } from './task-definition.js';

/** Calls the method of one task, with the guards, pipes, interceptors and filters that apply to it. */
export interface TaskInvoker {
  /** @param args the arguments as the queue stored them */
  invoke(args: readonly unknown[]): unknown;
}

/** A task that this process can run. */
export interface RegisteredTask {
  readonly definition: TaskDefinition;
  readonly invoker: TaskInvoker;
}

/** The tasks that one application can run, by name. */
export class TaskRegistry {
  private readonly tasks = new Map<string, RegisteredTask>();

  /** @throws DuplicateTaskError when the name is taken; it names both methods */
  add(task: RegisteredTask): void {
    const { name, origin } = task.definition;
    const known = this.tasks.get(name);
    if (known) throw new DuplicateTaskError(name, known.definition.origin, origin);
    this.tasks.set(name, task);
  }

  get(name: string): RegisteredTask | undefined {
    return this.tasks.get(name);
  }

  /** The queues of all tasks, each once. */
  queues(): Set<string> {
    return new Set(Array.from(this.tasks.values(), ({ definition }) => definition.queue));
  }

  /** The longest `resultTtl` of any task, in milliseconds; 0 when no task has one. */
  longestResultTtl(): number {
    return Math.max(0, ...Array.from(this.tasks.values(), ({ definition }) => definition.resultTtl ?? 0));
  }
}
