import { Job, type JobJson, type JobState, type Queue } from 'bullmq';
import {
  isFinal,
  type Consumer,
  type ConsumerOptions,
  type Delivery,
  type Engine,
  type Outcome,
  type Receipt,
  type TaskCall,
  type TaskTree,
  type TaskRecord,
  type TaskState,
  type Uniqueness,
} from '../engine.js';
import { memberIds, queueOfTask } from '../task-id.js';
import { Availability } from './availability.js';
import { cancelField } from './cancel-requests.js';
import { ChangeFeed } from './change-feed.js';
import { EnqueueBatch } from './enqueue-batch.js';
import { inBatches, MemberFlows } from './member-flows.js';
import { QueueConsumer } from './queue-consumer.js';
import { isDeepStrictEqual } from 'node:util';
import { readData, toJob, type Retention, type StoredData } from './stored-task.js';
import { toRecord } from './task-record.js';
import { workflowProgress, type ProgressSource } from './workflow-progress.js';
import { QueueMetaStore } from './queue-meta-store.js';
import type { Store } from './store.js';
import { IdempotencyConflictError, TaskCancelledError } from '../../errors.js';

export interface BullMQEngineOptions {
  /** Whether the queue of this name orders its tasks by priority. */
  readonly hasPriorities: (queue: string) => boolean;
  readonly retention: Retention;
  /** Milliseconds after which a call that cannot reach the store fails. */
  readonly timeout: number;
  /** Milliseconds without a sign of life after which a worker counts as dead, and its tasks run again elsewhere. */
  readonly abandonedAfter: number;
}

/** A task that is stored, and the job it is stored as. */
interface Found {
  readonly record: TaskRecord;
  readonly json: JobJson;
}

/** How long a worker takes at most to end a task that was cancelled before it started. */
const ENDING_LIMIT = 1_000;

/** The engine of production: BullMQ, on whatever store it is given. */
export class BullMQEngine implements Engine {
  readonly schedules: QueueMetaStore;
  private readonly availability: Availability;
  private readonly feed: ChangeFeed;
  private readonly flows: MemberFlows;
  private readonly queues = new Map<string, Queue>();
  private readonly batches = new Map<string, EnqueueBatch>();
  private readonly consumers = new Map<string, QueueConsumer>();
  private closing: Promise<void> | undefined;

  constructor(
    private readonly store: Store,
    private readonly options: BullMQEngineOptions,
  ) {
    this.availability = new Availability(store, options.timeout);
    this.feed = new ChangeFeed(store.bus);
    this.flows = new MemberFlows(store, options.hasPriorities);
    this.schedules = new QueueMetaStore((name) => this.readyQueue(name), this.availability, store.bus);
  }

  start(): Promise<void> {
    return this.availability.whenReachable(async () => undefined);
  }

  enqueue(calls: readonly TaskCall[]): Promise<Receipt[]> {
    return Promise.all(calls.map((call) => this.enqueueOne(call)));
  }

  async enqueueTree(tree: TaskTree): Promise<Receipt> {
    if (tree.members.length === 0) return this.enqueueOne(tree);
    let tried = false;
    await this.ensure('enqueue a workflow', async () => {
      // Perhaps only the answer was lost. To store it a second time would have it wait for members that ended.
      if (tried && (await this.store.find(tree.queue, tree.id))) return;
      tried = true;
      await this.readyQueue(tree.queue);
      this.store.deadline.check();
      await this.flows.add(tree);
    });
    return { id: tree.id, deduplicated: false, state: 'waiting' };
  }

  async find(id: string): Promise<TaskRecord | undefined> {
    const record = await this.plain(id);
    if (record?.state !== 'waiting' || record.progress !== null) return record;
    return { ...record, progress: await workflowProgress(record, this.progressSource) };
  }

  private async plain(id: string): Promise<TaskRecord | undefined> {
    return (await this.look(id))?.record;
  }

  private readonly progressSource: ProgressSource = {
    find: (id) => this.plain(id),
    ended: async ({ id, queue }) => {
      const counts = await this.ensure('find', () =>
        this.native(queue).getBackend().getDependencyCounts(id, ['processed', 'ignored', 'failed']),
      );
      return counts.reduce((sum, count) => sum + count, 0);
    },
  };

  watch(id: string, listener: () => void): () => void {
    return this.feed.watch(id, listener);
  }

  async cancel(id: string, reason: string | undefined): Promise<TaskRecord | undefined> {
    const found = await this.look(id);
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
    return this.ensure('cancel', async () => {
      const job = this.job(found);
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
        const now = await this.look(id);
        if (now && !isFinal(now.record.state) && now.record.state !== 'running') return this.cancel(id, reason);
        return now?.record;
      }
      if (state === 'active' || state === 'completed' || state === 'failed' || state === 'unknown')
        return this.find(id);
      // Whatever a worker does with it now, it ends without running.
      return this.record(id, { ...found.json, data: JSON.stringify(data) }, queue, state);
    });
  }

  async retry(id: string): Promise<TaskRecord | undefined> {
    const found = await this.look(id);
    if (!found || (found.record.state !== 'failed' && found.record.state !== 'cancelled')) return found?.record;
    // Members first: the task looks at them as soon as it runs.
    await inBatches(memberIds(id, found.record.members), (member) => this.retry(member));
    await this.ensure('retry', async () => {
      const job = this.job(found);
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
    return this.find(id);
  }

  /** A worker may be about to end a cancelled task that it fetched before it was to run again. */
  private async hasFailed({ id, queue }: TaskRecord): Promise<boolean> {
    const giveUp = Date.now() + ENDING_LIMIT;
    for (;;) {
      const found = await this.store.find(queue, id);
      if (found?.state !== 'active' || Date.now() > giveUp) return found?.state === 'failed';
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async forget(id: string): Promise<boolean> {
    const found = await this.look(id);
    if (!found?.json.finishedOn) return false;
    await this.ensure('forget', async () => {
      await this.job(found).remove();
      await this.feed.changedByRequest(id);
    });
    return true;
  }

  consume(queue: string, options: ConsumerOptions, run: (delivery: Delivery) => Promise<Outcome>): Consumer {
    let stopped = false;
    let consumer: QueueConsumer | undefined;
    const started = this.availability.whenReachable(async () => {
      await this.feed.serve((id, reason) => this.abort(id, reason));
      if (stopped) return;
      consumer = new QueueConsumer(queue, options, run, {
        store: this.store,
        feed: this.feed,
        flows: this.flows,
        cancel: (id, reason) => this.cancel(id, reason),
        abandonedAfter: this.options.abandonedAfter,
        onError: (error) => this.availability.noticed(error),
      });
      this.consumers.set(queue, consumer);
      try {
        await consumer.start();
      } catch (error) {
        // A worker whose connection failed while it began stays broken; the next attempt makes another.
        await consumer.stop(0);
        throw error;
      }
    });
    return {
      started,
      stop: async (grace) => {
        stopped = true;
        await consumer?.stop(grace);
      },
    };
  }

  native(queue: string): Queue {
    let known = this.queues.get(queue);
    if (!known) {
      known = this.store.createQueue(queue);
      this.queues.set(queue, known);
    }
    return known;
  }

  close(): Promise<void> {
    this.closing ??= this.shutDown();
    return this.closing;
  }

  private async shutDown(): Promise<void> {
    this.availability.close();
    await Promise.all([...this.consumers.values()].map((consumer) => consumer.stop(0)));
    await this.feed.close();
    // First the connections: a queue that never reached its server would wait for it before it closes.
    await this.store.close();
    await Promise.allSettled([...this.queues.values()].map((queue) => queue.close()));
  }

  private async enqueueOne(call: TaskCall): Promise<Receipt> {
    for (;;) {
      const now = Date.now();
      const id = await this.batch(call.queue).add(toJob(call, now, this.options.hasPriorities(call.queue)));
      if (id === call.id)
        return { id, deduplicated: false, state: (call.options.startAt ?? 0) > now ? 'scheduled' : 'queued' };
      const { unique } = call as { unique: Uniqueness };
      const winner = await this.look(id);
      if (winner && keepsAway(winner.record.state, unique)) {
        if (
          unique.idempotencyKey !== undefined &&
          !isDeepStrictEqual(readData(JSON.parse(winner.json.data))?.args, call.args)
        ) {
          throw new IdempotencyConflictError(unique.idempotencyKey, id);
        }
        return { id, deduplicated: true, state: winner.record.state };
      }
      // The key outlived its task, or the task will never start: it stands in nobody's way any more.
      await this.ensure('enqueue', () => this.native(call.queue).getBackend().removeDeduplicationKey(unique.key, id));
    }
  }

  private async look(id: string): Promise<Found | undefined> {
    const queue = queueOfTask(id);
    if (queue === undefined) return undefined;
    const found = await this.ensure('find', () => this.store.find(queue, id));
    if (!found) return undefined;
    const record = this.record(id, found.json, queue, found.state);
    if (!record) return undefined;
    return { record, json: found.json };
  }

  private record(id: string, json: JobJson, queue: string, state: JobState): TaskRecord | undefined {
    return toRecord(id, json, queue, state, this.options.retention, Date.now());
  }

  /** The job of a task that was found. */
  private job({ record, json }: { record: TaskRecord; json: JobJson }): Job<StoredData> {
    return Job.fromJSON<StoredData>(this.native(record.queue), json, record.id);
  }

  private abort(id: string, reason: string | undefined): void {
    const queue = queueOfTask(id);
    if (queue === undefined) return;
    this.consumers.get(queue)?.abort(id, new TaskCancelledError(reason ?? 'The task was cancelled.'));
  }

  private batch(queue: string): EnqueueBatch {
    let batch = this.batches.get(queue);
    if (!batch) {
      batch = new EnqueueBatch((jobs) =>
        this.ensure(`enqueue to "${queue}"`, async () => {
          const ready = await this.readyQueue(queue);
          // Whoever was told meanwhile that it failed does not expect it to be stored.
          this.store.deadline.check();
          return ready.addBulk(jobs);
        }),
      );
      this.batches.set(queue, batch);
    }
    return batch;
  }

  private async readyQueue(name: string): Promise<Queue> {
    const queue = this.native(name);
    try {
      await queue.waitUntilReady();
      return queue;
    } catch (error) {
      // What failed while it began to use the connection fails for ever; the next attempt makes another.
      this.queues.delete(name);
      throw error;
    }
  }

  private ensure<T>(what: string, call: () => Promise<T>): Promise<T> {
    return this.availability.ensure(what, call);
  }
}

/** Whether a task in this state stands for another like it. */
function keepsAway(state: TaskState, unique: Uniqueness): boolean {
  return unique.while === 'retained' || !isFinal(state);
}
