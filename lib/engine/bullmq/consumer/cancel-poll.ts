import type { IQueueBackend } from 'bullmq';
import { TaskCancelledError } from '../../../errors.js';
import { cancelRequests, removeCancelRequest } from '../operations/cancellation.js';
import type { RunningTasks } from '../../running-tasks.js';

/** Milliseconds between two polls. Each is one query for all running tasks of a queue. */
const INTERVAL = 500;

/**
 * Finds the requests to cancel running tasks: soon after a message about one of them, and at intervals, because a message
 * may be lost. Only a request in the store counts. The protocol stands in operations/cancellation.ts.
 */
export class CancelPoll {
  private readonly timer = setInterval(() => this.poll(), INTERVAL).unref();
  private isPolling = false;
  private pollAgain = false;

  constructor(
    private readonly backend: IQueueBackend,
    private readonly running: RunningTasks,
  ) {}

  stop(): void {
    clearInterval(this.timer);
  }

  /** Polls now if the task runs here. Messages that come during a poll share the next one. */
  check(id: string): void {
    if (this.running.uninterrupted().some((task) => task.id === id)) this.poll();
  }

  /** The reason a caller gave for cancelling a task, perhaps `''`; `undefined` when there is no request. */
  async reasonFor(id: string): Promise<string | undefined> {
    const [reason] = await cancelRequests(this.backend, [id]);
    return reason ?? undefined;
  }

  /** Removes the request of a task that has ended. */
  forget(id: string): void {
    removeCancelRequest(this.backend, id).catch(() => undefined);
  }

  private poll(): void {
    this.pollAgain = this.isPolling;
    if (this.isPolling) return;
    this.isPolling = true;
    void this.readRequests().finally(() => {
      this.isPolling = false;
      if (this.pollAgain) this.poll();
    });
  }

  private async readRequests(): Promise<void> {
    const ids = this.running.uninterrupted().map(({ id }) => id);
    if (ids.length === 0) return;
    try {
      const reasons = await cancelRequests(this.backend, ids);
      for (const [index, reason] of reasons.entries()) {
        if (reason !== null) this.running.interrupt(new TaskCancelledError(reason || undefined), ids[index]);
      }
    } catch {
      // The store cannot be reached: the next poll asks again.
    }
  }
}
