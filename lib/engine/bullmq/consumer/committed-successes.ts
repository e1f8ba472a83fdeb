import type { Job } from 'bullmq';
import type { CompletedTask } from '../../ports/worker-port.js';
import { TaskCompletion, type TaskCompletionDeps } from './task-completion.js';

/** The successes that the tasks of one queue commit in their own transactions, before their ends are stored. */
export class CommittedSuccesses {
  /** The tasks that have committed their success, and whose ends are not stored. */
  private readonly ids = new Set<string>();

  /** @param deps `undefined` where the application has no transactions in the store */
  constructor(
    private readonly queue: string,
    private readonly deps: TaskCompletionDeps | undefined,
  ) {}

  /** For the first attempt of a task. No success is committed yet. */
  ofFirst(job: Job, token: string): TaskCompletion | undefined {
    return this.completionWith(job, token, undefined);
  }

  /** For a further attempt. An earlier one may have committed the success, and its end is not stored. */
  async ofFurther(job: Job, token: string): Promise<TaskCompletion | undefined> {
    const earlier = await this.deps?.completions.find({ queue: this.queue, id: job.id as string });
    return this.completionWith(job, token, earlier);
  }

  add(id: string): void {
    this.ids.add(id);
  }

  /** The end of a task is stored. A row that stays is removed later. */
  forget(id: string): void {
    if (!this.ids.delete(id)) return;
    void this.deps?.completions.forget({ queue: this.queue, id }).catch(() => undefined);
  }

  private completionWith(job: Job, token: string, earlier: CompletedTask | undefined): TaskCompletion | undefined {
    return this.deps && new TaskCompletion(this.deps, { queue: this.queue, id: job.id as string }, token, earlier);
  }
}
