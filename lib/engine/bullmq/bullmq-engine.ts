import { isDeepStrictEqual } from 'node:util';
import type { Queue } from 'bullmq';
import { IdempotencyConflictError, TaskCancelledError } from '../../errors.js';
import {
  isFinal,
  type Consumer,
  type ConsumerOptions,
  type Delivery,
  type Engine,
  type Interest,
  type Outcome,
  type Receipt,
  type TaskCall,
  type TaskTree,
  type TaskRecord,
  type TaskState,
  type Uniqueness,
} from '../engine.js';
import { queueOfTask } from '../task-id.js';
import { Availability } from './availability.js';
import type { CheckDeadline } from './call-deadline.js';
import { ChangeFeed } from './changes/change-feed.js';
import { EnqueueBatch } from './operations/enqueue-batch.js';
import { MemberFlows } from './operations/member-flows.js';
import { QueueConsumer } from './consumer/queue-consumer.js';
import { QueueMetaStore } from './queue-meta-schedule-store.js';
import { readData, toJobEntry, type JobEntry, type Retention } from './jobs/job-data.js';
import { StoredTasks } from './operations/job-lookup.js';
import type { Store, Stored } from './driver.js';
import { TaskChanges } from './operations/cancel-retry-forget.js';

export interface BullMQEngineOptions {
  /** Whether the queue of this name orders its tasks by priority. */
  readonly hasPriorities: (queue: string) => boolean;
  readonly retention: Retention;
  /** Milliseconds after which a call that cannot reach the store fails. */
  readonly timeout: number;
  /** Milliseconds without a sign of life after which a worker counts as dead, and its tasks run again elsewhere. */
  readonly abandonedAfter: number;
}

/** The engine of production: BullMQ, on whatever store it is given. */
export class BullMQEngine implements Engine {
  readonly schedules: QueueMetaStore;
  private readonly availability: Availability;
  private readonly feed: ChangeFeed;
  private readonly flows: MemberFlows;
  private readonly tasks: StoredTasks;
  private readonly changes: TaskChanges;
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
    const native = (queue: string) => this.native(queue);
    this.tasks = new StoredTasks(store, this.availability, native, options.retention);
    this.changes = new TaskChanges(this.tasks, this.feed, this.availability, native);
    this.schedules = new QueueMetaStore((name) => this.readyQueue(name), this.availability, store.bus);
  }

  start(): Promise<void> {
    return this.availability.whenReachable(async () => undefined);
  }

  async enqueue(calls: readonly TaskCall[]): Promise<Receipt[]> {
    const now = Date.now();
    const ids = await this.storeCalls(calls, now);
    const receipts = calls.map(({ id, options }): Receipt => {
      return { id, deduplicated: false, state: (options.startAt ?? 0) > now ? 'scheduled' : 'queued' };
    });
    const others = calls.flatMap((call, index) => {
      const id = ids[index] as string;
      return id === call.id ? [] : [{ call, index, id }];
    });
    await Promise.all(
      others.map(async ({ call, index, id }) => {
        receipts[index] = await this.standIn(call, id);
      }),
    );
    return receipts;
  }

  async enqueueTree(tree: TaskTree): Promise<Receipt> {
    if (tree.members.length === 0) return (await this.enqueue([tree]))[0] as Receipt;
    let tried = false;
    await this.ensure('enqueue a workflow', async (check) => {
      // Perhaps only the answer was lost. To store it a second time would have it wait for members that ended.
      if (tried && (await this.store.find(tree.queue, tree.id))) return;
      tried = true;
      await this.readyQueue(tree.queue);
      check();
      await this.flows.add(tree);
    });
    return { id: tree.id, deduplicated: false, state: 'waiting' };
  }

  find(id: string): Promise<TaskRecord | undefined> {
    return this.tasks.find(id);
  }

  countEnded(record: TaskRecord): Promise<number> {
    return this.tasks.countEnded(record);
  }

  watch(id: string, listener: (record?: TaskRecord) => void, interest: Interest): () => void {
    return this.feed.watch(id, (success) => listener(success && this.tasks.recordOf(id, success)), interest);
  }

  cancel(id: string, reason: string | undefined): Promise<TaskRecord | undefined> {
    return this.changes.cancel(id, reason);
  }

  retry(id: string): Promise<TaskRecord | undefined> {
    return this.changes.retry(id);
  }

  forget(id: string): Promise<boolean> {
    return this.changes.forget(id);
  }

  consume(queue: string, options: ConsumerOptions, run: (delivery: Delivery) => Promise<Outcome>): Consumer {
    let stopped = false;
    let consumer: QueueConsumer | undefined;
    const started = this.availability.whenReachable(async () => {
      await this.feed.serve((id, reason) => this.interrupt(id, reason));
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

  /** @returns for each the id under which it, or an earlier one in its place, is stored */
  private async storeCalls(calls: readonly TaskCall[], now: number): Promise<readonly string[]> {
    const [first] = calls;
    if (!first) return [];
    const { queue } = first;
    const entryOf = (call: TaskCall) => toJobEntry(call, now, this.options.hasPriorities(call.queue));
    if (calls.every((call) => call.queue === queue)) return this.batch(queue).add(calls.map(entryOf));
    const ids = await Promise.all(calls.map((call) => this.batch(call.queue).add([entryOf(call)])));
    return ids.flat();
  }

  /** What becomes of a call when the engine has a task that keeps it away, or had one. */
  private async standIn(call: TaskCall, id: string): Promise<Receipt> {
    const { unique } = call as { unique: Uniqueness };
    const winner = await this.tasks.look(id);
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
    return (await this.enqueue([call]))[0] as Receipt;
  }

  private interrupt(id: string, reason: string | undefined): void {
    const queue = queueOfTask(id);
    if (queue === undefined) return;
    this.consumers.get(queue)?.interrupt(id, new TaskCancelledError(reason ?? 'The task was cancelled.'));
  }

  private batch(queue: string): EnqueueBatch {
    let batch = this.batches.get(queue);
    if (!batch) {
      const store = (jobs: readonly JobEntry[], stored: Stored) =>
        this.ensure(`enqueue to "${queue}"`, async (check) => {
          const ready = await this.readyQueue(queue);
          // Whoever was told meanwhile that it failed does not expect it to be stored.
          check();
          return this.store.addJobs(ready, jobs, stored);
        });
      batch = new EnqueueBatch(store, this.store.portions);
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

  private ensure<T>(what: string, call: (check: CheckDeadline) => Promise<T>): Promise<T> {
    return this.availability.ensure(what, call);
  }
}

/** Whether a task in this state stands for another like it. */
function keepsAway(state: TaskState, unique: Uniqueness): boolean {
  return unique.while === 'retained' || !isFinal(state);
}
