import { randomUUID } from 'node:crypto';
import type { JobState, JobJson, Queue } from 'bullmq';
import { inBatches } from '../../../concurrency.js';
import { type UnreadableTaskError, RetryRefusedError } from '../../../errors.js';
import { storableText } from '../../json.js';
import type { TaskChanges } from '../../task-changes.js';
import { CANCELLED_WITHIN } from '../../cancelled-within.js';
import { isFinal, type TaskRecord, type TaskState } from '../../task.js';
import { memberIds } from '../../task-id.js';
import type { Availability } from '../availability.js';
import type { ChangeFeed } from '../changes/change-feed.js';
import type { CheckDeadline } from '../call-deadline.js';
import type { CancelOfJob, Driver, FoundJob, JobRef } from '../driver.js';
import { Gatherer } from '../gatherer.js';
import { shortenStacks, stacksOf } from '../jobs/job-attempts.js';
import { parse, readData, type JobData } from '../jobs/job-data.js';
import { removeCancelRequest, requestCancels, withoutMark } from './cancellation.js';
import type { FailedWholes } from './failed-wholes.js';
import type { FoundTask, JobLookup } from './job-lookup.js';

/** Members that are cancelled or retried at the same time. */
const MEMBERS_AT_ONCE = 100;
/** How long a worker may take to end a task that was cancelled before it started. */
const END_WITHIN = 1_000;
/** The pause before the state of a job is read again, also in {@link END_WITHIN} and {@link CANCELLED_WITHIN}. */
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
type Cancel = CancelOfJob & JobRef;

/** Cancels, retries and forgets stored tasks; of a workflow, its members too. */
export class TaskCommands {
  private readonly cancels: Gatherer<Cancel, FoundJob | undefined>;

  constructor(private readonly deps: TaskCommandsDeps) {
    const { availability, driver } = deps;
    this.cancels = new Gatherer(
      (cancels) => availability.withRetries('cancel', (check) => this.cancelTogether(cancels, check)),
      driver.lookupLimits,
    );
  }

  /** @param withWhole the task that waits for this one ends too, by the caller */
  async cancel(id: string, reason: string | undefined, withWhole: boolean): Promise<TaskRecord | undefined> {
    const found = await this.deps.lookup.find(id);
    if (!found) return undefined;
    const { record } = found;
    const hasEnded = found.json.finishedOn !== undefined || !record.members || record.state === 'failed';
    if (isFinal(record.state) && hasEnded) return record;
    if (!withWhole) await this.deps.wholes.expect(record);
    const cancelled =
      record.state === 'cancelled' ? record : await this.cancelTask(record, reason && storableText(reason));
    await inBatches(memberIds(id, record.members), MEMBERS_AT_ONCE, (member) => this.cancel(member, reason, true));
    return cancelled;
  }

  /** The steps are those of cancellation.ts. */
  private async cancelTask({ id, queue }: TaskRecord, reason: string | undefined): Promise<TaskRecord | undefined> {
    const { changes, driver, lookup } = this.deps;
    const by = changes.wants('cancelled') ? randomUUID() : undefined;
    const marked = await this.cancels.call({
      queue,
      id,
      at: driver.clock.now(),
      ...(reason !== undefined && { reason }),
      ...(by !== undefined && { by }),
    });
    if (marked && by !== undefined) this.emitCancelled(marked, { id, queue, by });
    if (marked?.state !== 'active') return marked && lookup.recordOf(id, marked.json, queue, marked.state);
    const now = (await lookup.find(id))?.record;
    // The task began to wait at this moment, and stored its data over the mark.
    const isMarked = !now || isFinal(now.state) || now.state === 'running';
    return isMarked ? now : this.cancel(id, reason, true);
  }

  /** A task that a worker ran when it got the mark is cancelled when that worker ends it. */
  private emitCancelled({ json, state }: FoundJob, { id, queue, by }: JobRef & { readonly by: string }): void {
    const { changes, lookup } = this.deps;
    const mark = readData(parse(json.data))?.cancelled;
    const record = mark?.by === by && mark.running === false ? lookup.recordOf(id, json, queue, state) : undefined;
    if (!record || !mark) return;
    changes.emit({ type: 'cancelled', record, dueAt: record.enqueuedAt + (json.opts.delay ?? 0), at: mark.at });
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
      const jobs = await driver.cancel(queue, ofQueue);
      for (const [index, { id }] of ofQueue.entries()) found.set(id, jobs[index]);
      const running = ofQueue.filter(({ id }) => found.get(id)?.state === 'active');
      if (running.length === 0) continue;
      await requestCancels(queue.getBackend(), running);
      await feed.requestCancels(running.map(({ id }) => id));
    }
    await feed.changedByRequest(cancels.map(({ id }) => id));
    return cancels.map(({ id }) => found.get(id));
  }

  async retry(id: string): Promise<TaskRecord | undefined> {
    const found = await this.afterCancel(id);
    if (!found || (found.record.state !== 'failed' && found.record.state !== 'cancelled')) return found?.record;
    // It counts as failed already, and the worker that takes it next fails it.
    if (isUnreadable(found.record) && !found.json.finishedOn) return found.record;
    // Members first: the task reads their results as soon as it runs.
    await inBatches(memberIds(id, found.record.members), MEMBERS_AT_ONCE, (member) => this.retry(member));
    await this.deps.availability.withRetries('retry', async () => {
      const job = this.deps.lookup.jobOf(found);
      const unmarked = withoutMark(job.data);
      if (unmarked) {
        await job.updateData(job.data.failed ? { ...unmarked, rerun: anotherRun(unmarked) } : unmarked);
        await removeCancelRequest(this.deps.queueNamed(found.record.queue).getBackend(), id);
      }
      if ((await this.stateAfterEnd(found.record)) === 'failed') {
        await this.takeKeyBack(found);
        // Data that is none of a task stays as it is.
        const data = readData(unmarked ?? job.data);
        if (data) await job.updateData(rerunOf(data, found, this.deps.driver));
        await job.retry('failed', { resetAttemptsMade: true, resetAttemptsStarted: true });
      }
      await this.deps.feed.changedByRequest([id]);
    });
    return (await this.deps.lookup.find(id))?.record;
  }

  /**
   * Finds a task. Waits for the worker that runs it when it was cancelled: until then it cannot run again, and a workflow that is run
   * again would fail because of it.
   */
  private async afterCancel(id: string): Promise<FoundTask | undefined> {
    const giveUp = performance.now() + CANCELLED_WITHIN;
    for (;;) {
      const found = await this.deps.lookup.find(id);
      const isEnding = found?.record.state === 'running' && readData(parse(found.json.data))?.cancelled !== undefined;
      if (!isEnding || performance.now() > giveUp) return found;
      await new Promise((resolve) => setTimeout(resolve, READ_AGAIN_AFTER));
    }
  }

  /**
   * Makes a unique task stand for later equal calls again.
   *
   * @throws RetryRefusedError when an equal task stands for them and has not ended
   */
  private async takeKeyBack({ record: { id, queue, name }, json }: FoundTask): Promise<void> {
    const { driver, lookup, queueNamed } = this.deps;
    const key = json.deduplicationId;
    // A key that is kept after the end of its task stays with it anyway.
    if (!key || json.opts.deduplication?.ttl !== undefined) return;
    for (;;) {
      const holder = await driver.holdKey(queue, key, id);
      if (holder === id) return;
      const other = holder === '' ? undefined : await lookup.find(holder);
      if (other && !isFinal(other.record.state)) throw new RetryRefusedError(id, name, holder);
      if (holder !== '') await queueNamed(queue).getBackend().removeDeduplicationKey(key, holder);
    }
  }

  /** The state of a job. Waits for a worker that has just taken the job in order to end it. */
  private async stateAfterEnd(record: TaskRecord): Promise<JobState | undefined> {
    const giveUp = performance.now() + END_WITHIN;
    for (;;) {
      const state = await this.deps.lookup.stateOf(record);
      if (state !== 'active' || performance.now() > giveUp) return state;
      await new Promise((resolve) => setTimeout(resolve, READ_AGAIN_AFTER));
    }
  }

  /** Whether a workflow that goes on needs the result of the job. */
  private async isNeeded({ parentKey }: JobJson): Promise<boolean> {
    if (!parentKey) return false;
    const whole = await this.deps.lookup.find(parentKey.slice(parentKey.lastIndexOf(':') + 1));
    return whole !== undefined && !isFinal(whole.record.state);
  }

  async discard(id: string): Promise<boolean> {
    const found = await this.deps.lookup.find(id);
    if (!found || !WAITING.has(found.record.state)) return false;
    return this.deps.availability.withRetries('discard', async () => {
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
    return this.deps.availability.withRetries('forget', async () => {
      // A task that cannot be read counts as failed although no worker has ended it yet. One may be about to.
      if (isUnreadable(record)) {
        if ((await this.stateAfterEnd(record)) === 'active') return false;
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

const UNREADABLE: UnreadableTaskError['code'] = 'UNREADABLE_TASK';

function isUnreadable({ error }: TaskRecord): boolean {
  return error?.code === UNREADABLE;
}

/** Another run of a job that failed before a worker took it: its callbacks run again too. */
function anotherRun({ rerun }: JobData): JobData['rerun'] {
  return { abandoned: 0, ...rerun, count: (rerun?.count ?? 0) + 1 };
}

/** The data of a job that runs again: its callbacks run again too, and earlier deaths of its processes do not count. */
function rerunOf(data: JobData, { json, record }: FoundTask, { dropsStacks }: Pick<Driver, 'dropsStacks'>): JobData {
  const { looks: _looks, returns: _returns, ...rest } = data;
  const rerun = { count: (record.reruns ?? 0) + 1, abandoned: json.stalledCounter ?? 0 };
  return { ...rest, rerun: dropsStacks ? { ...rerun, stacks: shortenStacks(stacksOf(json)) } : rerun };
}
