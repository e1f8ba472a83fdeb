import { ConfigurationError, DuplicateTaskError } from '../errors.js';
import type { TaskDefinition } from './task-definition.js';

/** Calls the method of one task, with the guards, pipes, interceptors and filters that apply to it. */
export interface TaskInvoker {
  /** @param args the arguments as the queue stored them; for a method that takes batches: the batch */
  invoke(args: readonly unknown[]): unknown;
  /**
   * Only of a method that takes batches: what acts on each call before it waits for its batch.
   *
   * @returns the arguments that the call has then
   */
  admit?(args: readonly unknown[]): Promise<readonly unknown[]>;
}

/** A task that this process can run. */
export interface RegisteredTask {
  readonly definition: TaskDefinition;
  readonly invoker: TaskInvoker;
  /** What runs it. A provider behind a token has the tasks of both classes, under two names. Default: nothing else runs by it. */
  readonly runs?: { readonly provider: object; readonly method: string };
}

/** The tasks that one application can run, by name. A task is also found by its aliases. */
export class TaskRegistry {
  private readonly tasks = new Map<string, RegisteredTask>();
  private readonly aliases = new Map<string, RegisteredTask>();
  private readonly batchSizes = new Map<string, number>();

  /** @throws DuplicateTaskError when the name or an alias is taken; it names both methods */
  add(task: RegisteredTask): void {
    const { name, aliases } = task.definition;
    for (const taken of [name, ...aliases]) this.checkFree(taken, task);
    this.tasks.set(name, task);
    const { queue, batch } = task.definition;
    if (batch) this.batchSizes.set(queue, Math.max(batch.size, this.batchSizeOf(queue)));
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

  /** The size of the batches that a queue's task takes; 1 for any other queue. */
  batchSizeOf(queue: string): number {
    return this.batchSizes.get(queue) ?? 1;
  }

  /** @throws ConfigurationError when a queue has a task that takes batches, and another task */
  checkBatches(): void {
    for (const task of this.tasks.values()) {
      const { definition } = task;
      const other = definition.batch && this.inQueue(definition.queue).find((each) => !isSame(each, task));
      if (!other) continue;
      throw new ConfigurationError(
        `The task "${definition.name}" of ${definition.origin} takes batches, and its queue "${definition.queue}" has the task ` +
          `"${other.definition.name}" too. Give the task with batches a queue of its own: @Task({ queue: '…', batch: … }).`,
      );
    }
  }

  /** The tasks that run in child processes. */
  isolated(): TaskDefinition[] {
    return Array.from(this.tasks.values(), ({ definition }) => definition).filter(({ isolate }) => isolate);
  }

  /** Whether all tasks of a queue run in child processes. */
  isIsolated(queue: string): boolean {
    const tasks = this.inQueue(queue);
    return tasks.length > 0 && tasks.every(({ definition }) => definition.isolate !== undefined);
  }

  private inQueue(queue: string): RegisteredTask[] {
    return [...this.tasks.values()].filter(({ definition }) => definition.queue === queue);
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

/** Whether two tasks are one method under two names. */
function isSame(one: RegisteredTask, other: RegisteredTask): boolean {
  if (one === other) return true;
  return (
    one.runs?.provider === other.runs?.provider && one.runs?.method === other.runs?.method && one.runs !== undefined
  );
}
