import { randomUUID } from 'node:crypto';
import type { Queue } from 'bullmq';
import { refuseConflict, standsForLaterCalls } from '../../deduplication.js';
import type { Receipt, TaskCall, TaskTree, Uniqueness } from '../../task.js';
import type { TaskChanges } from '../../task-changes.js';
import type { Availability } from '../availability.js';
import type { ChangeFeed } from '../changes/change-feed.js';
import type { Driver, OnStored } from '../driver.js';
import { parse, readData, toJobEntry, type JobEntry } from '../jobs/job-data.js';
import { EnqueueBatch } from './enqueue-batch.js';
import type { JobLookup } from './job-lookup.js';
import type { MemberFlows } from './member-flows.js';

export interface EnqueuerDeps {
  readonly driver: Driver;
  readonly availability: Availability;
  readonly feed: ChangeFeed;
  readonly changes: TaskChanges;
  readonly flows: MemberFlows;
  readonly lookup: JobLookup;
  /** A queue whose connection is ready. */
  readonly readyQueue: (name: string) => Queue | Promise<Queue>;
  readonly hasPriorities: (queue: string) => boolean;
  /** Milliseconds that a call may take. */
  readonly timeout: number;
}

/** Stores calls and workflows, and finds the earlier task that stands for a duplicate. */
export class Enqueuer {
  private readonly batches = new Map<string, EnqueueBatch>();
  /** Names this process in calls that several processes may store at the same time. */
  private readonly origin = randomUUID();

  constructor(private readonly deps: EnqueuerDeps) {}

  async enqueue(calls: readonly TaskCall[]): Promise<Receipt[]> {
    const { changes, driver } = this.deps;
    if (driver.clock.isUnknown && calls[0]) await this.untilTimeKnown(`enqueue to "${calls[0].queue}"`);
    const now = driver.clock.now();
    const ids = await this.store(calls, now);
    const receipts = calls.map(({ id, options }): Receipt => {
      return { id, deduplicated: false, state: (options.startAt ?? 0) > now ? 'scheduled' : 'queued' };
    });
    const duplicates = calls.flatMap((call, index) => {
      const id = ids[index] as string;
      return id === call.id ? [] : [{ call, index, id }];
    });
    if (changes.wants('enqueued')) await this.emitStored(calls, ids, now);
    else for (const [index, call] of calls.entries()) if (ids[index] === call.id) changes.emitEnqueued(call, now);
    if (duplicates.length > 0) {
      const resolve = async ({ call, index, id }: (typeof duplicates)[number]) => {
        receipts[index] = await this.resolveDuplicate(call, id);
      };
      await Promise.all(duplicates.map(resolve));
    }
    return receipts;
  }

  async enqueueTree(tree: TaskTree): Promise<Receipt> {
    if (tree.members.length === 0) return (await this.enqueue([tree]))[0] as Receipt;
    const { availability, driver, feed, flows, readyQueue } = this.deps;
    feed.willStore([tree.id]);
    let tried = false;
    await availability.withRetries('enqueue a workflow', async (check) => {
      // Perhaps only the answer to the first attempt was lost. A tree stored twice waits for members that have ended.
      if (tried && (await driver.jobs.find([tree]))[0]) return;
      tried = true;
      await readyQueue(tree.queue);
      check();
      await flows.add(tree);
    });
    this.deps.changes.emitEnqueued(tree, driver.clock.now());
    return { id: tree.id, deduplicated: false, state: 'waiting' };
  }

  /** The first contact with the store tells its time. @returns `undefined` when it is known */
  untilTimeKnown(what = 'enqueue'): Promise<void> | undefined {
    const { availability, driver } = this.deps;
    return driver.clock.isUnknown ? availability.withRetries(what, async () => undefined) : undefined;
  }

  async isStored({ id, queue, unique, isShared }: TaskCall): Promise<boolean> {
    const { availability, lookup, readyQueue } = this.deps;
    if (isShared && (await lookup.find(id))) return true;
    if (!unique) return false;
    const holder = await availability.withRetries('find', async () =>
      (await readyQueue(queue)).getBackend().getDeduplicationJobId(unique.key),
    );
    const earlier = holder === null ? undefined : await lookup.find(holder);
    return earlier !== undefined && standsForLaterCalls(earlier.record.state, unique);
  }

  /** @returns for each call the id under which it, or the earlier task that stands for it, is stored */
  private async store(calls: readonly TaskCall[], now: number): Promise<readonly string[]> {
    const [first] = calls;
    if (!first) return [];
    const { queue } = first;
    const inbox = this.deps.feed.inboxFor(calls);
    const unshared = inbox === undefined ? undefined : { inbox };
    const entryOf = (call: TaskCall) =>
      toJobEntry(
        ...([call, now, this.deps.hasPriorities(call.queue)] as const),
        call.isShared ? { ...unshared, by: this.origin } : unshared,
      );
    if (calls.every((call) => call.queue === queue))
      return this.batch(queue).add({ length: calls.length, at: (index) => entryOf(calls[index] as TaskCall) });
    const ids = await Promise.all(calls.map((call) => this.batch(call.queue).add([entryOf(call)])));
    return ids.flat();
  }

  /** Tells the listeners of the calls that this process has stored. */
  private async emitStored(calls: readonly TaskCall[], ids: readonly string[], now: number): Promise<void> {
    const { changes } = this.deps;
    for (const [index, call] of calls.entries())
      if (ids[index] === call.id && (!call.isShared || (await this.isOwn(call)))) changes.emitEnqueued(call, now);
  }

  /** Whether this process has stored the call, and no other one before it. BullMQ does not say. */
  private async isOwn({ id }: TaskCall): Promise<boolean> {
    const found = await this.deps.lookup.find(id).catch(() => undefined);
    return readData(parse(found?.json.data))?.by === this.origin;
  }

  /** The receipt of a call that BullMQ did not store, because the task `id` has the same deduplication key. */
  private async resolveDuplicate(call: TaskCall, id: string): Promise<Receipt> {
    const { unique } = call as { unique: Uniqueness };
    const { availability, lookup, readyQueue } = this.deps;
    const earlier = await lookup.find(id);
    if (earlier && standsForLaterCalls(earlier.record.state, unique)) {
      refuseConflict(call, { id, args: readData(parse(earlier.json.data))?.args });
      return { id, deduplicated: true, state: earlier.record.state };
    }
    // The key outlived its task, or the task never starts any more: the key is removed and the call stored.
    await availability.withRetries('enqueue', async () => {
      const queue = await readyQueue(call.queue);
      await queue.getBackend().removeDeduplicationKey(unique.key, id);
    });
    return (await this.enqueue([call]))[0] as Receipt;
  }

  private batch(queue: string): EnqueueBatch {
    let batch = this.batches.get(queue);
    if (!batch) {
      const { driver, timeout } = this.deps;
      batch = new EnqueueBatch({
        ...{ timeout, limits: driver.batchLimits },
        store: (jobs, onStored) => this.addJobs(queue, jobs, onStored),
      });
      this.batches.set(queue, batch);
    }
    return batch;
  }

  private addJobs(name: string, jobs: readonly JobEntry[], onStored: OnStored): Promise<readonly number[]> {
    const { availability, driver, feed, readyQueue } = this.deps;
    // For each batch by itself: a call of ten thousand tasks takes longer than a task counts as just stored.
    feed.willStore(jobs.map(({ jobId }) => jobId));
    return availability.withRetries(`enqueue to "${name}"`, (check) => {
      const add = (queue: Queue) => {
        // A caller that was told meanwhile that the enqueue failed does not expect the task to be stored.
        check();
        return driver.addJobs(queue, jobs, onStored);
      };
      const queue = readyQueue(name);
      // A task starts sooner without a further promise.
      return queue instanceof Promise ? queue.then(add) : add(queue);
    });
  }
}
