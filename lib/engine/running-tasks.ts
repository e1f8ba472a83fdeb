import { endsWithin } from '../concurrency.js';
import type { GracePeriod } from './grace-period.js';
import { Interruption } from './interruption.js';

/** One task that runs in this process. */
export interface RunningTask {
  readonly id: string;
  readonly name: string;
  readonly interruption: Interruption;
  /** By `performance.now()`. */
  readonly takenAt: number;
  /** This process lost its lock on the task, so another may run it: the outcome here is dropped. */
  lost: boolean;
  /** The method of the task was called. */
  hasStarted: boolean;
  /** See `Delivery.mark`. */
  mark?: string;
}

/** The tasks of one queue that run in this process. After an interruption the same task may be among them twice. */
export class RunningTasks {
  private readonly tasks = new Set<RunningTask>();
  private onEmpty: (() => void)[] = [];

  add(id: string, name: string): RunningTask {
    const task: RunningTask = {
      id,
      name,
      interruption: new Interruption(),
      takenAt: performance.now(),
      lost: false,
      hasStarted: false,
    };
    this.tasks.add(task);
    return task;
  }

  remove(task: RunningTask): void {
    this.tasks.delete(task);
    if (this.tasks.size > 0) return;
    for (const resolve of this.onEmpty) resolve();
    this.onEmpty = [];
  }

  get size(): number {
    return this.tasks.size;
  }

  /** The tasks that were not asked to end yet. */
  uninterrupted(): RunningTask[] {
    return this.all().filter(({ interruption }) => !interruption.isRequested);
  }

  all(): RunningTask[] {
    return [...this.tasks];
  }

  /** Asks a task to end, or all of them when no id is given. The first reason stays. */
  interrupt(reason: Error, id?: string): void {
    for (const task of this.tasks) if (id === undefined || task.id === id) task.interruption.request(reason);
  }

  /** Whether all tasks end within `limit` milliseconds, or within a period that may get shorter. */
  async allEndWithin(limit: number | GracePeriod): Promise<boolean> {
    if (this.tasks.size === 0) return true;
    const ended = new Promise<void>((resolve) => this.onEmpty.push(resolve));
    return typeof limit === 'number' ? endsWithin(ended, limit) : limit.covers(ended);
  }
}

/** Tasks as a log line names them: the first five, and the number of the others. */
export function listOf(tasks: readonly { readonly id: string; readonly name: string }[]): string {
  const named = tasks.slice(0, 5).map(({ id, name }) => `${name} (${id})`);
  return named.join(', ') + (tasks.length > named.length ? ` and ${tasks.length - named.length} more` : '');
}
