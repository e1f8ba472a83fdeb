import { Interruption } from '../../interruption.js';

/** One task that runs in this process. */
export interface RunningTask {
  readonly id: string;
  readonly name: string;
  readonly interruption: Interruption;
  /** Another process may run it now: how it ends here counts no more. */
  lost: boolean;
}

/** The tasks of one queue that run in this process. After an interruption the same task may be among them twice. */
export class RunningTasks {
  private readonly tasks = new Set<RunningTask>();
  private onEmpty: (() => void)[] = [];

  add(id: string, name: string): RunningTask {
    const task = { id, name, interruption: new Interruption(), lost: false };
    this.tasks.add(task);
    return task;
  }

  remove(task: RunningTask): void {
    this.tasks.delete(task);
    if (this.tasks.size > 0) return;
    for (const resolve of this.onEmpty) resolve();
    this.onEmpty = [];
  }

  /** Those that nobody wants to end yet. */
  undisturbed(): RunningTask[] {
    return this.all().filter(({ interruption }) => !interruption.isWanted);
  }

  all(): RunningTask[] {
    return [...this.tasks];
  }

  /** Wants a task to end, or all of them. The first reason stays. */
  interrupt(reason: Error, id?: string): void {
    for (const task of this.tasks) if (id === undefined || task.id === id) task.interruption.want(reason);
  }

  /** Whether all have ended within so many milliseconds. */
  async haveEnded(limit: number): Promise<boolean> {
    if (this.tasks.size === 0) return true;
    return endsWithin(new Promise<void>((resolve) => this.onEmpty.push(resolve)), limit);
  }
}

/** Whether a promise is fulfilled within so many milliseconds. */
export async function endsWithin(promise: Promise<unknown>, limit: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<false>((resolve) => {
    timer = setTimeout(resolve, limit, false);
  });
  try {
    return await Promise.race([promise.then(() => true), timeout]);
  } finally {
    clearTimeout(timer);
  }
}

/** Tasks as a log line names them: a few of them, and how many more there are. */
export function listOf(tasks: readonly { readonly id: string; readonly name: string }[]): string {
  const named = tasks.slice(0, 5).map(({ id, name }) => `${name} (${id})`);
  return named.join(', ') + (tasks.length > named.length ? ` and ${tasks.length - named.length} more` : '');
}
