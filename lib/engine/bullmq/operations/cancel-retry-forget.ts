import type { Queue } from 'bullmq';
import { inBatches } from '../../../concurrency.js';
import { storableText } from '../../json.js';
import { isFinal, type TaskRecord } from '../../task.js';
import { memberIds } from '../../task-id.js';
import type { Availability } from '../availability.js';
import type { Clock } from '../clock.js';
import type { ChangeFeed } from '../changes/change-feed.js';
import { removeCancelRequest, requestCancel, withCancelMark, withoutCancelMark } from './cancellation.js';
import type { FoundTask, JobLookup } from './job-lookup.js';

/** Members that are cancelled or retried at the same time. */
const MEMBERS_AT_ONCE = 100;
/** How long a worker may take to end a task that was cancelled before it started. */
const END_WITHIN = 1_000;
/** The pause before the state of a job is read again. */
const READ_AGAIN_AFTER = 20;

/** Cancels, retries and forgets stored tasks; of a workflow, its members too. */
export class TaskCommands {
  constructor(
    private readonly lookup: JobLookup,
    private readonly feed: ChangeFeed,
    private readonly availability: Availability,
    private readonly queueNamed: (name: string) => Queue,
    private readonly clock: Clock,
  ) {}

  async cancel(id: string, reason: string | undefined): Promise<TaskRecord | undefined> {
    const found = await this.lookup.find(id);
    if (!found) return undefined;
    const { record } = found;
    if (isFinal(record.state) && (found.json.finishedOn !== undefined || !record.members)) return record;
    const cancelled =
      record.state === 'cancelled' ? record : await this.cancelTask(found, reason && storableText(reason));
    await inBatches(memberIds(id, record.members), MEMBERS_AT_ONCE, (member) => this.cancel(member, reason));
    return cancelled;
  }

  /** The steps are those of cancellation.ts. */
  private async cancelTask(found: FoundTask, reason: string | undefined): Promise<TaskRecord | undefined> {
    const { id, queue } = found.record;
    return this.availability.withRetries('cancel', async () => {
      const job = this.lookup.jobOf(found);
      const data = withCancelMark(job.data, reason, this.clock.now());
      await job.updateData(data);
      const state = await job.getState();
      if (state === 'active') {
        await requestCancel(this.queueNamed(queue).getBackend(), id, reason);
        await this.feed.requestCancel(id, reason);
      } else if (state === 'delayed') {
        // A worker takes the job now and ends it. The promotion fails when the job's own time came meanwhile.
        await job.promote().catch(() => undefined);
      }
      await this.feed.changedByRequest(id);
      if (state === 'waiting-children') {
        // A task that began to wait at this moment stored its data over the mark: it is cancelled again.
        const now = await this.lookup.find(id);
        if (now && !isFinal(now.record.state) && now.record.state !== 'running') return this.cancel(id, reason);
        return now?.record;
      }
      if (state === 'active' || state === 'completed' || state === 'failed' || state === 'unknown') {
        return (await this.lookup.find(id))?.record;
      }
      // Whatever a worker does with the job now, the task ends without running.
      return this.lookup.recordOf(id, { ...found.json, data: JSON.stringify(data) }, queue, state);
    });
  }

  async retry(id: string): Promise<TaskRecord | undefined> {
    const found = await this.lookup.find(id);
    if (!found || (found.record.state !== 'failed' && found.record.state !== 'cancelled')) return found?.record;
    // Members first: the task reads their results as soon as it runs.
    await inBatches(memberIds(id, found.record.members), MEMBERS_AT_ONCE, (member) => this.retry(member));
    await this.availability.withRetries('retry', async () => {
      const job = this.lookup.jobOf(found);
      const unmarked = withoutCancelMark(job.data);
      if (unmarked) {
        await job.updateData(unmarked);
        await removeCancelRequest(this.queueNamed(found.record.queue).getBackend(), id);
      }
      if (await this.hasFailed(found.record)) {
        await job.retry('failed', { resetAttemptsMade: true, resetAttemptsStarted: true });
      }
      await this.feed.changedByRequest(id);
    });
    return (await this.lookup.find(id))?.record;
  }

  /** Whether the job has failed; waits for a worker that has just taken the cancelled job in order to end it. */
  private async hasFailed(record: TaskRecord): Promise<boolean> {
    const giveUp = performance.now() + END_WITHIN;
    for (;;) {
      const state = await this.lookup.stateOf(record);
      if (state !== 'active' || performance.now() > giveUp) return state === 'failed';
      await new Promise((resolve) => setTimeout(resolve, READ_AGAIN_AFTER));
    }
  }

  async forget(id: string): Promise<boolean> {
    const found = await this.lookup.find(id);
    if (!found?.json.finishedOn) return false;
    await this.availability.withRetries('forget', async () => {
      await this.lookup.jobOf(found).remove();
      await this.feed.changedByRequest(id);
    });
    return true;
  }
}
