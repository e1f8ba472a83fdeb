import { DuplicateTaskError } from '../errors.js';
import type { TaskDefinition } from './task-definition.js';

/** A task that can run in this process: its definition and how to call its method. */
export interface RegisteredTask {
  readonly definition: TaskDefinition;
  /** Calls the method with arguments as they came out of the queue. */
  readonly call: (args: readonly unknown[]) => unknown;
}

/** The tasks of one application by name. */
export class TaskRegistry {
  private readonly tasks = new Map<string, RegisteredTask>();

  /** @throws DuplicateTaskError naming both methods */
  add(task: RegisteredTask): void {
    const { name, origin } = task.definition;
    const known = this.tasks.get(name);
    if (known) throw new DuplicateTaskError(name, known.definition.origin, origin);
    this.tasks.set(name, task);
  }

  get(name: string): RegisteredTask | undefined {
    return this.tasks.get(name);
  }

  /** The queues in which a task of this process can wait. */
  queues(): Set<string> {
    return new Set(Array.from(this.tasks.values(), ({ definition }) => definition.queue));
  }

  /** In milliseconds; 0 when no task says. */
  longestResultTtl(): number {
    return Math.max(0, ...Array.from(this.tasks.values(), ({ definition }) => definition.resultTtl ?? 0));
  }
}
