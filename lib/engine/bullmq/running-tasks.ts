/** One task that runs in this process. */
export interface RunningTask {
  readonly id: string;
  readonly name: string;
  readonly signal: AbortSignal;
  /** Another process may run it now: how it ends here counts no more. */
  lost: boolean;
}

/** The tasks of one queue that run in this process. After an interruption the same task may be among them twice. */
export class RunningTasks {
  private readonly entries = new Map<RunningTask, AbortController>();
  private onEmpty: (() => void)[] = [];

  add(id: string, name: string): RunningTask {
    const controller = new AbortController();
    const task = { id, name, signal: controller.signal, lost: false };
    this.entries.set(task, controller);
    return task;
  }

  remove(task: RunningTask): void {
    this.entries.delete(task);
    if (this.entries.size > 0) return;
    for (const resolve of this.onEmpty) resolve();
    this.onEmpty = [];
  }

  /** Those whose signals are not aborted yet. */
  undisturbed(): RunningTask[] {
    return this.all().filter(({ signal }) => !signal.aborted);
  }

  all(): RunningTask[] {
    return [...this.entries.keys()];
  }

  /** Aborts the signal of a task, or of all. The first reason stays. */
  abort(reason: Error, id?: string): void {
    for (const [task, controller] of this.entries) if (id === undefined || task.id === id) controller.abort(reason);
  }

  /** Whether all have ended within so many milliseconds. */
  async haveEnded(limit: number): Promise<boolean> {
    if (this.entries.size === 0) return true;
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
