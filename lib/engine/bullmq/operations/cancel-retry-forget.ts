import type { Queue } from 'bullmq';
import { isFinal, type TaskRecord } from '../../engine.js';
import { memberIds } from '../../task-id.js';
import type { Availability } from '../availability.js';
import { cancelField } from '../consumer/cancel-poll.js';
import type { ChangeFeed } from '../changes/change-feed.js';
import { inBatches } from './member-flows.js';
import type { StoredData } from '../jobs/job-data.js';
import type { Found, StoredTasks } from './job-lookup.js';

/** How long a worker takes at most to end a task that was cancelled before it started. */
const ENDING_LIMIT = 1_000;

/** What may be done to a task that is stored: cancel it, run it again, forget it. Of a workflow, to its members too. */
export class TaskChanges {
  constructor(
    private readonly tasks: StoredTasks,
    private readonly feed: ChangeFeed,
    private readonly availability: Availability,
    private readonly native: (queue: string) => Queue,
  ) {}

  async cancel(id: string, reason: string | undefined): Promise<TaskRecord | undefined> {
    const found = await this.tasks.look(id);
    if (!found) return undefined;
    const { record } = found;
    if (isFinal(record.state) && (found.json.finishedOn !== undefined || !record.members)) return record;
    const cancelled = record.state === 'cancelled' ? record : await this.cancelOne(found, reason);
    // After the task itself, which would take it for a failure otherwise.
    await inBatches(memberIds(id, record.members), (member) => this.cancel(member, reason));
    return cancelled;
  }

  private async cancelOne(found: Found, reason: string | undefined): Promise<TaskRecord | undefined> {
    const { id, queue } = found.record;
    return this.availability.ensure('cancel', async () => {
      const job = this.tasks.job(found);
      const data: StoredData = { ...job.data, cancelled: { at: Date.now(), ...(reason !== undefined && { reason }) } };
      // For a worker that takes it from now on. One that has it already is told, and finds the request if the message
      // is lost; so this order leaves no gap between the two.
      await job.updateData(data);
      const state = await job.getState();
      if (state === 'active') {
        await this.native(queue)
          .getBackend()
          .setQueueMeta({ [cancelField(id)]: reason ?? '' });
        await this.feed.requestCancel(id, reason);
      } else if (state === 'delayed') {
        // Its turn is now, so that a worker clears it away. It may have come by itself meanwhile.
        await job.promote().catch(() => undefined);
      }
      await this.feed.changedByRequest(id);
      if (state === 'waiting-children') {
        // It may have begun to wait this moment, and stored that over the request: then it is asked again.
        const now = await this.tasks.look(id);
        if (now && !isFinal(now.record.state) && now.record.state !== 'running') return this.cancel(id, reason);
        return now?.record;
      }
      if (state === 'active' || state === 'completed' || state === 'failed' || state === 'unknown')
        return this.tasks.find(id);
      // Whatever a worker does with it now, it ends without running.
      return this.tasks.record(id, { ...found.json, data: JSON.stringify(data) }, queue, state);
    });
  }

  async retry(id: string): Promise<TaskRecord | undefined> {
    const found = await this.tasks.look(id);
    if (!found || (found.record.state !== 'failed' && found.record.state !== 'cancelled')) return found?.record;
    // Members first: the task looks at them as soon as it runs.
    await inBatches(memberIds(id, found.record.members), (member) => this.retry(member));
    await this.availability.ensure('retry', async () => {
      const job = this.tasks.job(found);
      const { cancelled, ...data } = job.data;
      if (cancelled) {
        await job.updateData(data);
        await this.native(found.record.queue)
          .getBackend()
          .removeQueueMetaFields([cancelField(id)]);
      }
      if (await this.hasFailed(found.record)) {
        await job.retry('failed', { resetAttemptsMade: true, resetAttemptsStarted: true });
      }
      await this.feed.changedByRequest(id);
    });
    return this.tasks.find(id);
  }

  /** A worker may be about to end a cancelled task that it fetched before it was to run again. */
  private async hasFailed(record: TaskRecord): Promise<boolean> {
    const giveUp = Date.now() + ENDING_LIMIT;
    for (;;) {
      const state = await this.tasks.stateOf(record);
      if (state !== 'active' || Date.now() > giveUp) return state === 'failed';
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async forget(id: string): Promise<boolean> {
    const found = await this.tasks.look(id);
    if (!found?.json.finishedOn) return false;
    await this.availability.ensure('forget', async () => {
      await this.tasks.job(found).remove();
      await this.feed.changedByRequest(id);
    });
    return true;
  }
}
