import { randomUUID } from 'node:crypto';
import type { JobJson, Queue } from 'bullmq';
import { inBatches } from '../../../concurrency.js';
import { storableText } from '../../json.js';
import type { TaskChanges } from '../../task-changes.js';
import { isFinal, type TaskRecord, type TaskState } from '../../task.js';
import { memberIds } from '../../task-id.js';
import type { Availability } from '../availability.js';
import type { ChangeFeed } from '../changes/change-feed.js';
import type { CheckDeadline } from '../call-deadline.js';
import type { Driver } from '../driver.js';
import type { CancelOfJob, FoundJob, JobRef } from '../stored-jobs.js';
import { Gatherer } from '../gatherer.js';
import { CHANGES_AT_ONCE, Turns } from '../turns.js';
import { parse, readData, type CancelMark } from '../jobs/job-data.js';
import { requestCancels } from './cancellation.js';
import type { FailedWholes } from './failed-wholes.js';
import type { FoundTask, JobLookup } from './job-lookup.js';
import { isUnreadable } from './retries.js';

/** Members that are cancelled at the same time. */
const MEMBERS_AT_ONCE = 100;

/**
 * Milliseconds for which a cancel waits until a task that runs again is back in its queue. Its worker puts it back at once; when that worker
 * has died, a duty does it a second later.
 */
const RUNS_AGAIN_WITHIN = 5_000;
/** The pause before such a task is read again. */
const READ_AGAIN_AFTER = 20;

export interface TaskCommandsDeps {
  readonly driver: Driver;
  readonly lookup: JobLookup;
  readonly feed: ChangeFeed;
  readonly changes: TaskChanges;
  readonly availability: Availability;
  readonly wholes: Pick<FailedWholes, 'expect'>;
  readonly queueNamed: (name: string) => Queue;
}

/** A request to cancel one task of any queue. */
interface Cancel extends CancelOfJob, JobRef {
  /** Characters of the data of the job, which the store writes anew. */
  readonly length: number;
}

/** Cancels and forgets stored tasks; of a workflow, its members too. */
export class TaskCommands {
  private readonly cancels: Gatherer<Cancel, FoundJob | undefined>;
  private readonly turns = new Turns(CHANGES_AT_ONCE);

  constructor(private readonly deps: TaskCommandsDeps) {
    const { availability, driver } = deps;
    this.cancels = new Gatherer(
      (cancels) => availability.withRetries('cancel', (check) => this.cancelTogether(cancels, check)),
      { ...driver.lookupLimits, length: driver.batchLimits.length },
      ({ length }) => length,
    );
  }

  /**
   * @param withWhole the task that waits for this one ends too, by the caller
   * @param giveUp when the cancel stops waiting for a task to be back in its queue, by `performance.now()`
   */
  async cancel(
    id: string,
    reason: string | undefined,
    withWhole: boolean,
    giveUp = performance.now() + RUNS_AGAIN_WITHIN,
  ): Promise<TaskRecord | undefined> {
    const found = await this.deps.lookup.find(id);
    if (!found) return undefined;
    const { record } = found;
    const hasEnded = found.json.finishedOn !== undefined || !record.members || record.state === 'failed';
    if (isFinal(record.state) && hasEnded) return record;
    if (isBetweenRuns(found) && performance.now() < giveUp) {
      await new Promise((resolve) => setTimeout(resolve, READ_AGAIN_AFTER));
      return this.cancel(id, reason, withWhole, giveUp);
    }
    if (!withWhole) await this.deps.wholes.expect(record);
    const cancelled =
      record.state === 'cancelled' ? record : await this.cancelTask(found, reason && storableText(reason));
    await inBatches(memberIds(id, record.members), MEMBERS_AT_ONCE, (member) => this.cancel(member, reason, true));
    return cancelled;
  }

  /** The steps are those of cancellation.ts. */
  private async cancelTask(
    { record: { id, queue }, json }: FoundTask,
    reason: string | undefined,
  ): Promise<TaskRecord | undefined> {
    const { changes, driver, lookup } = this.deps;
    const by = changes.wants('cancelled') ? randomUUID() : undefined;
    const cancelled = await this.cancels.call({
      queue,
      id,
      length: json.data.length,
      at: driver.clock.now(),
      ...(reason !== undefined && { reason }),
      ...(by !== undefined && { by }),
    });
    if (cancelled && by !== undefined) this.emitCancelled(cancelled, { id, queue, by });
    const isAsked = cancelled && markOf(cancelled.json)?.again;
    const marked = isAsked ? await this.withdrawRetry({ id, queue }) : cancelled;
    if (marked?.state !== 'active') return marked && lookup.recordOf(id, marked.json, queue, marked.state);
    const now = (await lookup.find(id))?.record;
    // The task began to wait at this moment, and stored its data over the mark.
    const isMarked = !now || isFinal(now.state) || now.state === 'running';
    return isMarked ? now : this.cancel(id, reason, true);
  }

  /** A task that a worker ran when it got the mark is cancelled when that worker ends it. */
  private emitCancelled({ json, state }: FoundJob, { id, queue, by }: JobRef & { readonly by: string }): void {
    const { changes, lookup } = this.deps;
    const mark = markOf(json);
    const record = mark?.by === by && mark.running === false ? lookup.recordOf(id, json, queue, state) : undefined;
    if (!record || !mark) return;
    changes.emit({ type: 'cancelled', record, dueAt: record.enqueuedAt + (json.opts.delay ?? 0), at: mark.at });
  }

  /** A caller had asked to run the task again once its cancelled run has ended. */
  private withdrawRetry(job: JobRef): Promise<FoundJob | undefined> {
    const { availability, driver } = this.deps;
    return availability.withRetries('cancel', () => driver.jobs.runAgainAfterEnd(job, false));
  }

  private async cancelTogether(
    cancels: readonly Cancel[],
    check: CheckDeadline,
  ): Promise<readonly (FoundJob | undefined)[]> {
    const { driver, feed, queueNamed } = this.deps;
    const found = new Map<string, FoundJob | undefined>();
    for (const name of new Set(cancels.map(({ queue }) => queue))) {
      const ofQueue = cancels.filter(({ queue }) => queue === name);
      const queue = queueNamed(name);
      check();
      const jobs = await driver.jobs.cancel(queue, ofQueue);
      for (const [index, { id }] of ofQueue.entries()) found.set(id, jobs[index]);
      const running = ofQueue.filter(({ id }) => found.get(id)?.state === 'active');
      if (running.length === 0) continue;
      await requestCancels(queue.getBackend(), running);
      await feed.requestCancels(running.map(({ id }) => id));
    }
    await feed.changedByRequest(cancels.map(({ id }) => id));
    return cancels.map(({ id }) => found.get(id));
  }

  /** Whether a workflow that goes on needs the result of the job. */
  private async isNeeded({ parentKey }: JobJson): Promise<boolean> {
    if (!parentKey) return false;
    const whole = await this.deps.lookup.find(parentKey.slice(parentKey.lastIndexOf(':') + 1));
    return whole !== undefined && !isFinal(whole.record.state);
  }

  /** Changes one task by several commands, when its turn has come. */
  private change<T>(what: string, call: () => Promise<T>): Promise<T> {
    return this.turns.take(() => this.deps.availability.withRetries(what, call));
  }

  async discard(id: string): Promise<boolean> {
    const found = await this.deps.lookup.find(id);
    if (!found || !WAITING.has(found.record.state)) return false;
    return this.change('discard', async () => {
      try {
        await this.deps.lookup.jobOf(found).remove();
      } catch (error) {
        // A worker has taken the job meanwhile.
        if ((await this.deps.lookup.stateOf(found.record)) === 'active') return false;
        throw error;
      }
      await this.deps.feed.changedByRequest([id]);
      return true;
    });
  }

  async forget(id: string): Promise<boolean> {
    const found = await this.deps.lookup.find(id);
    if (!found) return false;
    const { record, json } = found;
    if (!json.finishedOn && !isUnreadable(record)) return false;
    if (await this.isNeeded(json)) return false;
    return this.change('forget', async () => {
      // A task that cannot be read counts as failed although no worker has ended it yet. One may be about to.
      if (isUnreadable(record)) {
        if ((await this.deps.lookup.stateAfterEnd(record)) === 'active') return false;
        await this.deps.lookup.makeEndable(record);
      }
      try {
        await this.deps.lookup.jobOf(found).remove();
      } catch (error) {
        // BullMQ removes nothing while a worker runs a member of the workflow.
        if (this.deps.driver.isOutage(error) || (await this.deps.lookup.stateOf(record)) === undefined) throw error;
        return false;
      }
      await this.deps.feed.changedByRequest([id]);
      return true;
    });
  }
}

/** The states in which no worker has a task, and no other task ends first. */
const WAITING: ReadonlySet<TaskState> = new Set<TaskState>(['scheduled', 'queued', 'retrying']);

/** Whether a cancelled run has ended, and the task is about to be put back into its queue: only then can it be cancelled. */
function isBetweenRuns({ record, json }: FoundTask): boolean {
  return json.finishedOn !== undefined && !isFinal(record.state) && !markOf(json)?.again;
}

function markOf({ data }: Pick<JobJson, 'data'>): CancelMark | undefined {
  return readData(parse(data))?.cancelled;
}
