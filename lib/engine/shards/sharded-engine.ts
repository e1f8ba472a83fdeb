import { EngineUnavailableError } from '../../errors.js';
import type { AttemptRecord } from '../attempt.js';
import type { Engine } from '../engine.js';
import type { QueueBlock } from '../ports/block-port.js';
import type { ForeignWorker } from '../ports/foreign-workers-port.js';
import type { FailureOfWhole, TaskEdit } from '../ports/command-port.js';
import type { RateLimit } from '../ports/control-port.js';
import { finding, type Finding } from '../ports/diagnosis-port.js';
import type { TaskChangeListener, TaskChangeType } from '../ports/event-port.js';
import type { LogPage } from '../ports/history-port.js';
import type { PlacePort } from '../ports/place-port.js';
import type { ChangeListener, WatchOptions } from '../ports/query-port.js';
import type { AnswerRequest } from '../ports/request-port.js';
import type { ScheduleStore } from '../ports/schedule-store.js';
import type { Shard } from '../ports/shard-port.js';
import type { SnapshotPort } from '../ports/snapshot-port.js';
import type { StatisticsPort } from '../ports/statistics-port.js';
import type { TransactionAdapter, TransactionEnqueue } from '../ports/transaction-port.js';
import type { Consumer, ConsumerOptions, DeliveryHandler } from '../ports/worker-port.js';
import type { Receipt, TaskCall, TaskRecord, TaskTree } from '../task.js';
import { refusalOf, withRefusal } from '../refusal.js';
import { queueOfTask } from '../task-id.js';
import { refuseSpanningTree } from './refuse-spanning-tree.js';
import { ShardReach } from './shard-reach.js';
import type { ShardTimes } from './shard-times.js';
import { ShardedControl } from './sharded-control.js';
import { ShardedLists } from './sharded-lists.js';
import { ShardedTransaction } from './sharded-transaction.js';
import { ShardedWorkers } from './sharded-workers.js';
import type { Topology } from './topology.js';

/**
 * Several engines as one. A call about one task or one queue goes to the engine of its shard and to no other: an id names its
 * queue, and the options say in which shard a queue is. Calls about everything go to all shards at once.
 *
 * Schedules are stored in the default shard, and so is the secret of the store. The default shard's clock is the clock: times on the way to
 * another shard and back are converted, because its server may have another one.
 */
export class ShardedEngine implements Engine {
  readonly schedules: ScheduleStore;
  readonly statistics: StatisticsPort;
  readonly snapshots: SnapshotPort;
  readonly workers: ShardedWorkers;
  readonly lists: ShardedLists;
  readonly control: ShardedControl;
  readonly places: PlacePort;
  readonly shards: readonly Shard[];
  private readonly reach: ShardReach;

  /** @param engines by the names of their shards, the default one first */
  constructor(engines: ReadonlyMap<string, Engine>, topology: Topology) {
    const reach = new ShardReach(engines, topology);
    this.reach = reach;
    this.schedules = reach.default.schedules;
    this.workers = new ShardedWorkers(reach);
    this.lists = new ShardedLists(reach);
    this.control = new ShardedControl(reach, this.lists);
    this.places = { take: (queue) => reach.of(queue).places.take(queue) };
    this.statistics = {
      read: async (from, to) => {
        const slices = await reach.askAll(async (engine, shard) => {
          const times = reach.timesOf(shard);
          const ofShard = await engine.statistics.read(times.timeToShard(from), times.timeToShard(to));
          return ofShard.map((slice) => ({ ...slice, at: times.toStore(slice.at) }));
        });
        return [...slices.values()].flat();
      },
      merge: async () => void (await reach.askAll((engine) => engine.statistics.merge())),
    };
    this.snapshots = {
      get: (keys) => reach.first((engine) => engine.snapshots.get(keys)),
      set: (texts) => reach.first((engine) => engine.snapshots.set(texts)),
    };
    this.shards = Array.from(engines.keys(), (name) => ({
      name,
      ping: () => reach.track(name, (engine) => engine.ping()),
    }));
  }

  missingShards(): readonly string[] {
    return this.reach.missingShards();
  }

  async start(): Promise<void> {
    await Promise.all(Array.from(this.reach.engines.values(), (engine) => engine.start()));
  }

  async close(): Promise<void> {
    await Promise.all(Array.from(this.reach.engines.values(), (engine) => engine.close()));
  }

  now(): number {
    return this.reach.default.now();
  }

  native(queue: string): unknown {
    return this.reach.of(queue).native(queue);
  }

  /** Stores the calls of all shards that can be reached, also when it then throws the error of another shard. */
  async enqueue(calls: readonly TaskCall[]): Promise<Receipt[]> {
    const groups = this.reach.group(calls, ({ queue }) => queue);
    const [only] = groups.keys();
    if (groups.size <= 1) return this.enqueueInto(only ?? this.reach.topology.shardOf(''), calls);
    const receipts = new Map<TaskCall, Receipt>();
    const stored = await Promise.allSettled(
      Array.from(groups, async ([shard, group]) => {
        const ofShard = await this.enqueueInto(shard, group);
        for (const [index, call] of group.entries()) receipts.set(call, ofShard[index] as Receipt);
      }),
    );
    const errors = stored.flatMap((each) => (each.status === 'rejected' ? [each.reason as unknown] : []));
    // A caller may repeat a call after an outage, and learns of the other error then.
    if (errors.length > 0) throw errors.find((error) => error instanceof EngineUnavailableError) ?? errors[0];
    return calls.map((call) => receipts.get(call) as Receipt);
  }

  async enqueueTree(tree: TaskTree): Promise<Receipt> {
    refuseSpanningTree(tree, this.reach.topology);
    const shard = this.reach.topology.shardOf(tree.queue);
    return this.reach.track(shard, async (engine) => {
      await engine.untilTimeKnown?.();
      return engine.enqueueTree(this.reach.timesOf(shard).treeToShard(tree));
    });
  }

  private enqueueInto(shard: string, calls: readonly TaskCall[]): Promise<Receipt[]> {
    return this.reach.track(shard, async (engine) => {
      await engine.untilTimeKnown?.();
      const times = this.reach.timesOf(shard);
      return engine.enqueue(times.ahead === 0 ? calls : calls.map((call) => toShard(call, times)));
    });
  }

  isStored(call: TaskCall): Promise<boolean> {
    return this.reach.of(call.queue).isStored(call);
  }

  enqueueIn(transaction: TransactionAdapter): TransactionEnqueue | undefined {
    return ShardedTransaction.of(this.reach, transaction);
  }

  find(id: string): Promise<TaskRecord | undefined> {
    const shard = this.shardOf(id);
    return this.recordOf(
      id,
      this.reach.track(shard, (engine) => engine.find(id)),
    );
  }

  countEndedMembers(record: TaskRecord): Promise<number> {
    return this.ofTask(record.id).countEndedMembers(record);
  }

  watch(id: string, listener: ChangeListener, options: WatchOptions): () => void {
    const times = this.reach.timesOf(this.shardOf(id));
    return this.ofTask(id).watch(id, (record) => listener(record && times.recordToStore(record)), options);
  }

  cancel(id: string, reason: string | undefined, withWhole?: boolean): Promise<TaskRecord | undefined> {
    return this.recordOf(id, this.ofTask(id).cancel(id, reason, withWhole));
  }

  failWhole(id: string, failed: FailureOfWhole): Promise<boolean> {
    return this.ofTask(id).failWhole(id, failed);
  }

  retry(id: string): Promise<TaskRecord | undefined> {
    return this.recordOf(id, this.ofTask(id).retry(id));
  }

  retryLeftBehind(id: string): Promise<boolean> {
    return this.ofTask(id).retryLeftBehind(id);
  }

  promote(id: string): Promise<TaskRecord | undefined> {
    return this.recordOf(id, this.ofTask(id).promote(id));
  }

  update(id: string, change: TaskEdit): Promise<TaskRecord | undefined> {
    const { startAt } = change;
    const times = this.reach.timesOf(this.shardOf(id));
    const own = startAt === undefined ? change : { ...change, startAt: times.timeToShard(startAt) };
    return this.recordOf(id, this.ofTask(id).update(id, own));
  }

  discard(id: string): Promise<boolean> {
    return this.ofTask(id).discard(id);
  }

  forget(id: string): Promise<boolean> {
    return this.ofTask(id).forget(id);
  }

  async readLog(id: string, after: number, limit: number): Promise<LogPage | undefined> {
    const times = this.reach.timesOf(this.shardOf(id));
    const page = await this.ofTask(id).readLog(id, after, limit);
    return page && { ...page, lines: page.lines.map((line) => ({ ...line, at: times.toStore(line.at) })) };
  }

  async attempts(id: string): Promise<AttemptRecord[] | undefined> {
    const times = this.reach.timesOf(this.shardOf(id));
    return (await this.ofTask(id).attempts(id))?.map((attempt) => times.attemptToStore(attempt));
  }

  consume(queue: string, options: ConsumerOptions, handler: DeliveryHandler): Consumer {
    const times = this.reach.timesOf(this.reach.topology.shardOf(queue));
    return this.reach.of(queue).consume(queue, options, times.handlerFor(handler));
  }

  blockOf(queue: string, declared: RateLimit | undefined): Promise<QueueBlock> {
    return this.reach.of(queue).blockOf(queue, declared);
  }

  onTaskChange(types: Iterable<TaskChangeType>, listener: TaskChangeListener): () => void {
    const wanted = [...types];
    const ends = Array.from(this.reach.engines, ([shard, engine]) => {
      const times = this.reach.timesOf(shard);
      return engine.onTaskChange(wanted, (change) => listener(times.changeToStore(change)));
    });
    return () => {
      for (const end of ends) end();
    };
  }

  serveRequests(answer: AnswerRequest): void {
    for (const engine of this.reach.engines.values()) engine.serveRequests(answer);
  }

  /** @throws EngineUnavailableError naming the shards that do not answer */
  async ping(): Promise<void> {
    const pings = await Promise.allSettled(this.shards.map((shard) => shard.ping()));
    const failed = pings.flatMap((ping, index) =>
      ping.status === 'rejected'
        ? [{ shard: this.shards[index]?.name, error: ping.reason as EngineUnavailableError }]
        : [],
    );
    if (failed.length === 0) return;
    const texts = failed.map(({ shard, error }) => `shard ${shard}: ${error.message}`);
    const [refusal, ...others] = new Set(failed.map(({ error }) => refusalOf(error)));
    throw withRefusal(new EngineUnavailableError(texts.join(' ')), others.length === 0 ? refusal : undefined);
  }

  async diagnose(): Promise<Finding[]> {
    const findings = await Promise.all(
      Array.from(this.reach.engines, async ([shard, engine]) => {
        const found = await engine.diagnose().catch((error: unknown) => {
          if (!(error instanceof EngineUnavailableError)) throw error;
          return [
            finding('engine', 'fail', error.message, 'Start the server of the shard, or correct its connection.'),
          ];
        });
        return found.map((each) => ({ ...each, text: `Shard ${shard}: ${each.text}` }));
      }),
    );
    return findings.flat();
  }

  async foreignWorkers(queues: readonly string[]): Promise<readonly ForeignWorker[]> {
    const groups = this.reach.group(queues, (queue) => queue);
    const found = await this.reach.ask(groups.keys(), (engine, shard) =>
      engine.foreignWorkers(groups.get(shard) ?? []),
    );
    return [...found.values()].flat();
  }

  private ofTask(id: string): Engine {
    return this.reach.of(queueOfTask(id) ?? '');
  }

  private shardOf(id: string): string {
    return this.reach.topology.shardOf(queueOfTask(id) ?? '');
  }

  private async recordOf(id: string, found: Promise<TaskRecord | undefined>): Promise<TaskRecord | undefined> {
    const record = await found;
    return record && this.reach.timesOf(this.shardOf(id)).recordToStore(record);
  }
}

/** A tree of one task comes the same way as a call. */
function toShard(call: TaskCall, times: ShardTimes): TaskCall {
  return 'members' in call ? times.treeToShard(call as TaskTree) : times.toShard(call);
}
