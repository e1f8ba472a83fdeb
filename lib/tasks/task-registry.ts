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

/** The tasks that one application can run, by name. A task is also found by its aliases. */
export class TaskRegistry {
  private readonly tasks = new Map<string, RegisteredTask>();
  private readonly aliases = new Map<string, RegisteredTask>();

  /** @throws DuplicateTaskError when the name or an alias is taken; it names both methods */
  add(task: RegisteredTask): void {
    const { name, aliases } = task.definition;
    for (const taken of [name, ...aliases]) this.checkFree(taken, task);
    this.tasks.set(name, task);
    for (const alias of aliases) this.aliases.set(alias, task);
  }

  get(name: string): RegisteredTask | undefined {
    return this.tasks.get(name) ?? this.aliases.get(name);
  }

  /** The names of all tasks and their aliases, sorted. */
  names(): string[] {
    return [...this.tasks.keys(), ...this.aliases.keys()].toSorted();
  }

  /** The queues of all tasks, each once. */
  queues(): Set<string> {
    return new Set(Array.from(this.tasks.values(), ({ definition }) => definition.queue));
  }

  /** The names of the tasks that are declared in each queue, sorted. */
  namesByQueue(): Record<string, string[]> {
    const names = new Map<string, string[]>();
    for (const name of [...this.tasks.keys()].toSorted()) {
      const { queue } = (this.tasks.get(name) as RegisteredTask).definition;
      names.set(queue, [...(names.get(queue) ?? []), name]);
    }
    return Object.fromEntries(names);
  }

  /** The longest `resultTtl` of any task, in milliseconds; 0 when no task has one. */
  longestResultTtl(): number {
    return Math.max(0, ...Array.from(this.tasks.values(), ({ definition }) => definition.resultTtl ?? 0));
  }

  private checkFree(name: string, { definition }: RegisteredTask): void {
    const known = this.get(name);
    if (known) throw new DuplicateTaskError(name, known.definition.origin, definition.origin);
  }
}
