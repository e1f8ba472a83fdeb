import type { IQueueBackend } from 'bullmq';
import { TaskCancelledError } from '../../../errors.js';
import type { RunningTasks } from './running-tasks.js';
import { cancellation } from '../jobs/job-failure.js';

/** How often a process asks whether its running tasks were cancelled, in case the message was lost: one query for all. */
const CANCEL_POLL = 500;

/** Field of the queue's metadata that asks for the cancellation of a running task. */
export function cancelField(id: string): string {
  return `cancel:${id}`;
}

/** What is stored about tasks that are to be cancelled while they run: a message says so sooner, and may be lost. */
export class CancelRequests {
  private readonly timer = setInterval(() => void this.look(), CANCEL_POLL).unref();

  constructor(
    private readonly backend: IQueueBackend,
    private readonly running: RunningTasks,
  ) {}

  stop(): void {
    clearInterval(this.timer);
  }

  /** The reason somebody gave, perhaps an empty one; `undefined` when nobody asked for it. */
  async reasonFor(id: string): Promise<string | undefined> {
    const [reason] = await this.backend.getQueueMetaFields([cancelField(id)]);
    return reason ?? undefined;
  }

  /** It has been heard; left there, it would cancel the task again when somebody retries it. */
  forget(id: string): void {
    this.backend.removeQueueMetaFields([cancelField(id)]).catch(() => undefined);
  }

  private async look(): Promise<void> {
    const ids = this.running.undisturbed().map(({ id }) => id);
    if (ids.length === 0) return;
    try {
      const reasons = await this.backend.getQueueMetaFields(ids.map(cancelField));
      for (const [index, reason] of reasons.entries()) {
        if (reason === null) continue;
        this.running.interrupt(new TaskCancelledError(reason || cancellation(undefined).message), ids[index]);
      }
    } catch {
      // Out of reach: asked again soon.
    }
  }
}
