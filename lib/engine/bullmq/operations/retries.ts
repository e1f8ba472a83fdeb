import type { Job, Queue } from 'bullmq';
import { inBatches } from '../../../concurrency.js';
import { RetryRefusedError, type UnreadableTaskError } from '../../../errors.js';
import { CANCELLED_WITHIN } from '../../cancelled-within.js';
import { retryDuty } from '../../duty-task.js';
import type { Topology } from '../../shards/topology.js';
import { isFinal, type Receipt, type TaskCall, type TaskRecord } from '../../task.js';
import { memberIds } from '../../task-id.js';
import type { Availability } from '../availability.js';
import { bullmq } from '../bullmq-package.cjs';
import type { ChangeFeed } from '../changes/change-feed.js';
import type { Driver } from '../driver.js';
import { shortenStacks, stacksOf } from '../jobs/job-attempts.js';
import { parse, readData, type JobData } from '../jobs/job-data.js';
import { runsAgain } from '../jobs/run-again.js';
import { CHANGES_AT_ONCE, Turns } from '../turns.js';
import { removeCancelRequest, withoutMark } from './cancellation.js';
import type { FoundTask, JobLookup } from './job-lookup.js';

/** Members that are retried at the same time. */
const MEMBERS_AT_ONCE = 100;
/** The pause before a task is read again, in {@link CANCELLED_WITHIN}. */
const READ_AGAIN_AFTER = 20;
/** Milliseconds that a worker has to run a task again whose end it has stored, before a duty does it. */
const WORKER_FIRST = 1_000;

export interface TaskRetriesDeps {
  readonly driver: Driver;
  readonly lookup: JobLookup;
  readonly feed: ChangeFeed;
  readonly availability: Availability;
  readonly queueNamed: (name: string) => Queue;
  readonly enqueue: (calls: readonly TaskCall[]) => Promise<Receipt[]>;
  readonly topology: Topology;
}

/**
 * Runs failed, cancelled and expired tasks again; of a workflow, its members too. A task that runs again does not expire.
 *
 * A task that was cancelled may still run, and cannot run a second time until its worker has stored the end. A caller waits for that for
 * a moment ({@link CANCELLED_WITHIN}), and then leaves a mark: the worker runs the task again as soon as its end is stored. Readers
 * report such an end as no end ({@link runsAgain}), so no workflow fails by it, and callers go on to wait for the result. A worker may die
 * right after it has stored the end. So the caller also leaves a duty behind, which runs the task again then, in any process that runs
 * tasks.
 */
export class TaskRetries {
  private readonly turns = new Turns(CHANGES_AT_ONCE);
  /** By the id of the task and the number of its run. Callers, its worker and a duty may run a task again at the same time. */
  private readonly underWay = new Map<string, Promise<void>>();

  constructor(private readonly deps: TaskRetriesDeps) {}

  async retry(id: string): Promise<TaskRecord | undefined> {
    const found = await this.afterCancel(id);
    if (!found) return undefined;
    if (isEnding(found)) return this.retryAfterEnd(found);
    return this.canRunAgain(found) ? this.retryNow(found) : found.record;
  }

  /** Called by a worker that has stored the end of a cancelled run: a caller may have asked to run the task again. */
  async retryIfAsked(id: string): Promise<void> {
    const found = await this.deps.lookup.find(id);
    if (!found || !this.isAskedFor(found)) return;
    try {
      await this.retryOne(found);
    } catch (error) {
      if (!(error instanceof RetryRefusedError)) throw error;
      // An equal task was enqueued in the moment between the end and this call. The task stays cancelled.
      const { queue } = found.record;
      await this.deps.availability.withRetries('retry', () =>
        this.deps.driver.jobs.runAgainAfterEnd({ queue, id }, false),
      );
      await this.deps.feed.changedByRequest([id]);
    }
  }

  /** See `CommandPort.retryLeftBehind`. */
  async retryLeftBehind(id: string): Promise<boolean> {
    const { clock } = this.deps.driver;
    const found = await this.deps.lookup.find(id);
    if (!found) return true;
    if (!this.isAskedFor(found)) return !isEnding(found) && !isStillAsked(found);
    if (clock.now() < (found.json.finishedOn ?? 0) + WORKER_FIRST) return false;
    try {
      await this.retryIfAsked(id);
    } catch (error) {
      const now = await this.deps.lookup.find(id);
      // Its worker was slow, and has just run the task again.
      if (now && this.isAskedFor(now)) throw error;
    }
    return true;
  }

  private canRunAgain(found: FoundTask): boolean {
    const { record, json } = found;
    // It counts as failed already, and the worker that takes it next fails it.
    if (isUnreadable(record) && !json.finishedOn) return false;
    return ['failed', 'cancelled', 'expired'].includes(record.state) || this.isAskedFor(found);
  }

  /** Whether the task has ended and a caller has asked to run it again, which its worker has not done yet. */
  private isAskedFor({ json, state }: FoundTask): boolean {
    return state === 'failed' && runsAgain(json, readData(parse(json.data)), this.deps.driver.clock.now());
  }

  private async retryNow(found: FoundTask): Promise<TaskRecord | undefined> {
    const { id } = found.record;
    // Members first: the task reads their results as soon as it runs.
    await this.retryMembers(found.record);
    await this.retryOne(found);
    return (await this.deps.lookup.find(id))?.record;
  }

  private async retryMembers({ id, members }: TaskRecord): Promise<void> {
    await inBatches(memberIds(id, members), MEMBERS_AT_ONCE, (member) => this.retry(member));
  }

  private retryOne(found: FoundTask): Promise<void> {
    const { id, reruns = 0 } = found.record;
    const run = `${id} ${reruns}`;
    let retrying = this.underWay.get(run);
    if (!retrying) {
      retrying = this.retryAlone(found).finally(() => this.underWay.delete(run));
      this.underWay.set(run, retrying);
    }
    return retrying;
  }

  private async retryAlone(found: FoundTask): Promise<void> {
    const { availability, feed, lookup, queueNamed } = this.deps;
    const { id, queue } = found.record;
    const retry = () =>
      availability.withRetries('retry', async () => {
        const job = lookup.jobOf(found);
        const unmarked = withoutMark(job.data);
        const isAsked = this.isAskedFor(found);
        if (unmarked) {
          // A task that is asked for again keeps its mark until the step below, so that no reader takes it for cancelled.
          if (!isAsked) await job.updateData(job.data.failed ? { ...unmarked, rerun: anotherRun(unmarked) } : unmarked);
          await removeCancelRequest(queueNamed(queue).getBackend(), id);
        }
        // No worker has taken it yet: it is still in its queue, and runs when its turn comes.
        const isQueued = found.record.state === 'expired' && found.json.finishedOn === undefined;
        if (isQueued && readData(job.data)) await job.updateData({ ...job.data, rerun: anotherRun(job.data) });
        if ((await lookup.stateAfterEnd(found.record)) === 'failed') {
          await this.takeKeyBack(found);
          if (await this.beginAgain(found, job, isAsked))
            await job.retry('failed', { resetAttemptsMade: true, resetAttemptsStarted: true }).catch(unlessItRunsAgain);
          else await this.giveKeyUp(id);
        }
        await feed.changedByRequest([id]);
      });
    await this.turns.take(retry);
  }

  /** @returns false when a caller has withdrawn the request to run the task again */
  private async beginAgain(found: FoundTask, job: Job<JobData>, isAsked: boolean): Promise<boolean> {
    const { driver } = this.deps;
    const { id, queue } = found.record;
    // Data that is none of a task stays as it is.
    const data = readData(withoutMark(job.data) ?? job.data);
    if (!data) return true;
    const rerun = rerunOf(data, found, isAsked && isPromised(job.data), driver);
    if (isAsked && job.data.cancelled?.again) return driver.jobs.beginAgain({ queue, id }, rerun);
    await job.updateData(rerun);
    return true;
  }

  /** Asks the worker that still runs the task to run it again. */
  private async retryAfterEnd(found: FoundTask): Promise<TaskRecord | undefined> {
    const { availability, driver, feed, lookup, enqueue, topology } = this.deps;
    const { id, queue } = found.record;
    await this.retryMembers(found.record);
    await availability.withRetries('retry', () => this.takeKeyBack(found));
    const cancelledAt = readData(parse(found.json.data))?.cancelled?.at ?? 0;
    // Before the mark: it does nothing without it.
    await enqueue([retryDuty(found.record, cancelledAt, driver.clock.now(), topology)]);
    const marked = await availability.withRetries('retry', () => driver.jobs.runAgainAfterEnd({ queue, id }, true));
    if (!marked) return undefined;
    // The worker has stored the end meanwhile.
    if (marked.json.finishedOn !== undefined) return this.retry(id);
    await feed.changedByRequest([id]);
    return lookup.recordOf(id, marked.json, queue, marked.state);
  }

  /**
   * Finds a task. Waits for the worker that runs it when it was cancelled: until then it cannot run again, and a workflow that is run
   * again would fail because of it.
   */
  private async afterCancel(id: string): Promise<FoundTask | undefined> {
    const giveUp = performance.now() + CANCELLED_WITHIN;
    for (;;) {
      const found = await this.deps.lookup.find(id);
      if (!found || !isEnding(found) || performance.now() > giveUp) return found;
      await new Promise((resolve) => setTimeout(resolve, READ_AGAIN_AFTER));
    }
  }

  /**
   * Makes a unique task stand for later equal calls again.
   *
   * @throws RetryRefusedError when an equal task stands for them and has not ended
   */
  private async takeKeyBack(found: FoundTask): Promise<void> {
    const { driver, lookup, queueNamed } = this.deps;
    const { id, queue, name } = found.record;
    const key = keyUntilEnd(found);
    if (!key) return;
    for (;;) {
      const holder = await driver.jobs.holdKey(queue, key, id);
      if (holder === id) return;
      const other = holder === '' ? undefined : await lookup.find(holder);
      if (other && !isFinal(other.record.state)) throw new RetryRefusedError(id, name, holder);
      if (holder !== '') await queueNamed(queue).getBackend().removeDeduplicationKey(key, holder);
    }
  }

  /** Makes a unique task that does not run again stand for no later calls. */
  private async giveKeyUp(id: string): Promise<void> {
    const found = await this.deps.lookup.find(id);
    const key = found && isFinal(found.record.state) && keyUntilEnd(found);
    if (key) await this.deps.queueNamed(found.record.queue).getBackend().removeDeduplicationKey(key, id);
  }
}

/** The key for which a unique task stands until it ends; `undefined` also for a key that is kept after the end of its task. */
function keyUntilEnd({ json }: FoundTask): string | undefined {
  return json.opts.deduplication?.ttl === undefined ? json.deduplicationId : undefined;
}

/** Whether a caller has asked to run the task again, whose cancelled run has not ended: its worker may have died. */
function isStillAsked({ json }: FoundTask): boolean {
  return json.finishedOn === undefined && readData(parse(json.data))?.cancelled?.again === true;
}

/** Whether a worker still runs the task, although it was cancelled, and will store its end. */
function isEnding({ record, json }: FoundTask): boolean {
  return record.state === 'running' && readData(parse(json.data))?.cancelled !== undefined;
}

const UNREADABLE: UnreadableTaskError['code'] = 'UNREADABLE_TASK';

export function isUnreadable({ error }: TaskRecord): boolean {
  return error?.code === UNREADABLE;
}

/** Another process has run the task again in the same moment. */
function unlessItRunsAgain(error: unknown): void {
  if ((error as { readonly code?: unknown }).code !== bullmq.ErrorCode.JobNotInState) throw error;
}

/** Another run of a job that failed before a worker took it: its callbacks run again too. */
function anotherRun({ rerun }: JobData): JobData['rerun'] {
  return { abandoned: 0, ...rerun, count: (rerun?.count ?? 0) + 1 };
}

/** Whether a duty runs the task again if this process dies before it does. */
function isPromised(data: JobData): boolean {
  const { cancelled, rerun } = readData(data) ?? {};
  return cancelled?.again === true || rerun?.asked === true;
}

/**
 * The data of a job that runs again: its callbacks run again too, and earlier deaths of its processes do not count.
 *
 * @param promised see {@link isPromised}
 */
function rerunOf(
  data: JobData,
  { json, record }: FoundTask,
  promised: boolean,
  { dropsStacks }: Pick<Driver, 'dropsStacks'>,
): JobData {
  const { looks: _looks, returns: _returns, ...rest } = data;
  const rerun = {
    ...{ count: (record.reruns ?? 0) + 1, abandoned: json.stalledCounter ?? 0 },
    ...(promised && { asked: true as const }),
  };
  return { ...rest, rerun: dropsStacks ? { ...rerun, stacks: shortenStacks(stacksOf(json)) } : rerun };
}
