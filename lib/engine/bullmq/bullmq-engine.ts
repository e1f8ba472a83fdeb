import type { Queue } from 'bullmq';
import { endsWithin } from '../../concurrency.js';
import type { AttemptRecord } from '../attempt.js';
import type { Engine } from '../engine.js';
import type { QueueBlock } from '../ports/block-port.js';
import type { RateLimit } from '../ports/control-port.js';
import type { TaskChangeListener, TaskChangeType } from '../ports/event-port.js';
import type { FailureOfWhole, TaskEdit } from '../ports/command-port.js';
import type { ChangeListener, WatchOptions } from '../ports/query-port.js';
import type { Finding } from '../ports/diagnosis-port.js';
import type { ForeignWorker } from '../ports/foreign-workers-port.js';
import type { TransactionAdapter, TransactionEnqueue } from '../ports/transaction-port.js';
import type { AnswerRequest, RequestPort } from '../ports/request-port.js';
import type { Consumer, ConsumerOptions, DeliveryHandler } from '../ports/worker-port.js';
import { isAlive, type WorkerRecord } from '../ports/worker-registry.js';
import type { LogPage } from '../ports/history-port.js';
import type { Receipt, TaskCall, TaskRecord, TaskTree } from '../task.js';
import type { Retention } from '../retention.js';
import { SharedPlaces } from '../places/shared-places.js';
import { TaskChanges } from '../task-changes.js';
import { DEFAULT_SHARD, ONE_SHARD, type Topology } from '../shards/topology.js';
import { diagnoseClock, diagnoseVersions } from './diagnose.js';
import { Availability } from './availability.js';
import { ChangeFeed } from './changes/change-feed.js';
import { CheckedBus } from './checked-bus.js';
import { Consumers } from './consumer/consumers.js';
import type { TaskCompletionDeps } from './consumer/task-completion.js';
import type { Driver } from './driver.js';
import { TaskCommands } from './operations/cancel-forget.js';
import { FailedWholes } from './operations/failed-wholes.js';
import { Enqueuer } from './operations/enqueuer.js';
import { JobLookup } from './operations/job-lookup.js';
import { TaskLists } from './operations/task-lists.js';
import { readAttempts } from './jobs/job-attempts.js';
import { MemberFlows } from './operations/member-flows.js';
import { QueueBlocks } from './operations/queue-blocks.js';
import { TaskRetries } from './operations/retries.js';
import { TaskEdits } from './operations/task-edits.js';
import { TaskLog } from './operations/task-log.js';
import { TransactionEnqueuer } from './operations/transaction-enqueuer.js';
import { patchClientList } from './patched-client-list.js';
import { patchMetrics } from './patched-metrics.js';
import { QueueControl } from './queue-control.js';
import { Statistics } from '../statistics/statistics.js';
import { QueueMeta } from './queue-meta.js';
import { QueueMetaPlaceStore } from './queue-meta-place-store.js';
import { QueueMetaScheduleStore } from './queue-meta-schedule-store.js';
import { QueueMetaWorkerRegistry } from './queue-meta-worker-registry.js';
import { RareWarnings } from './rare-warnings.js';
import { Queues } from './queues.js';
import { SealedBus } from './sealed-bus.js';

export interface BullMQEngineOptions {
  /** Whether the queue of this name orders its tasks by priority. */
  readonly hasPriorities: (queue: string) => boolean;
  readonly retention: Retention;
  /** Milliseconds after which a call that cannot reach the store fails. */
  readonly timeout: number;
  /** Milliseconds without a sign of life after which a worker counts as dead, and its tasks run again elsewhere. */
  readonly abandonedAfter: number;
  /** The packages that the engine uses: BullMQ and that of the driver. */
  readonly packages: readonly string[];
  /** How many lines are kept of the log of each task. */
  readonly logLines: number;
  /** Milliseconds for which statistics are kept; `false`: this process counts nothing. */
  readonly keepStatistics: number | false;
  /** Which queue is in which shard, for the tasks that look after workflows. Default: there is one shard. */
  readonly topology?: Topology;
}

/** Milliseconds in which the places that were given back last have to be stored. Others get them after `abandonedAfter` otherwise. */
const PLACES_GRACE = 1_000;

/** The production engine: BullMQ on any of its databases. It only puts the parts together; each folder does one job. */
export class BullMQEngine implements Engine {
  readonly schedules: QueueMetaScheduleStore;
  readonly workers: QueueMetaWorkerRegistry;
  readonly lists: TaskLists;
  readonly control: QueueControl;
  readonly snapshots: QueueMeta;
  readonly places: SharedPlaces;
  private readonly availability: Availability;
  private readonly feed: ChangeFeed;
  readonly statistics: Statistics;
  private readonly changes: TaskChanges;
  private readonly flows: MemberFlows;
  private readonly lookup: JobLookup;
  private readonly blocks: QueueBlocks;
  private readonly enqueuer: Enqueuer;
  private readonly commands: TaskCommands;
  private readonly retries: TaskRetries;
  private readonly wholes: FailedWholes;
  private readonly edits: TaskEdits;
  private readonly log: TaskLog;
  private readonly queues: Queues;
  private readonly consumers: Consumers;
  private knownSecret: string | undefined;
  private closing: Promise<void> | undefined;

  constructor(
    private readonly driver: Driver,
    private readonly options: BullMQEngineOptions,
    private readonly desk: RequestPort,
  ) {
    const { hasPriorities, retention, timeout } = options;
    this.queues = new Queues(driver, (queue) => this.prepare(queue));
    const queueNamed = (name: string) => this.queues.named(name);
    const readyQueue = (name: string) => this.queues.ready(name);
    this.availability = new Availability(driver, timeout);
    const meta = { metadata: driver.metadata, availability: this.availability, queueOf: readyQueue };
    this.statistics = new Statistics({
      parts: new QueueMeta('statistics', meta),
      merged: new QueueMeta('history', meta),
      now: () => this.now(),
      keep: options.keepStatistics,
    });
    this.changes = new TaskChanges(this.statistics.counter);
    const warnings = new RareWarnings();
    const sealed = () =>
      new SealedBus(driver.bus, { secret: () => this.schedules.secret(), clock: driver.clock, warnings });
    const bus = new CheckedBus(driver.bus.isPublic ? sealed() : driver.bus, warnings, (error) => {
      if (driver.isForbidden(error)) this.availability.reportError(error as Error);
    });
    this.feed = new ChangeFeed(bus);
    this.flows = new MemberFlows(driver, hasPriorities, this.changes);
    this.lookup = new JobLookup(driver, this.availability, queueNamed, retention);
    this.blocks = new QueueBlocks(this.availability, queueNamed);
    this.enqueuer = new Enqueuer({
      driver,
      availability: this.availability,
      feed: this.feed,
      changes: this.changes,
      flows: this.flows,
      lookup: this.lookup,
      readyQueue,
      hasPriorities,
      timeout,
    });
    this.wholes = new FailedWholes({
      driver,
      availability: this.availability,
      lookup: this.lookup,
      feed: this.feed,
      changes: this.changes,
      counter: this.statistics.counter,
      enqueue: (calls) => this.enqueuer.enqueue(calls),
      topology: options.topology ?? ONE_SHARD,
    });
    this.commands = new TaskCommands({
      driver,
      wholes: this.wholes,
      lookup: this.lookup,
      feed: this.feed,
      changes: this.changes,
      availability: this.availability,
      queueNamed,
    });
    this.retries = new TaskRetries({
      driver,
      lookup: this.lookup,
      feed: this.feed,
      availability: this.availability,
      queueNamed,
      enqueue: (calls) => this.enqueuer.enqueue(calls),
      topology: options.topology ?? ONE_SHARD,
    });
    this.log = new TaskLog({
      logs: driver.logs,
      availability: this.availability,
      lookup: this.lookup,
      keep: options.logLines,
    });
    this.lists = new TaskLists(driver, this.availability, this.lookup);
    this.edits = new TaskEdits({ driver, lookup: this.lookup, feed: this.feed, availability: this.availability });
    this.snapshots = new QueueMeta('snapshots', meta);
    this.schedules = new QueueMetaScheduleStore(new QueueMeta('schedules', meta), this.availability, bus);
    this.workers = new QueueMetaWorkerRegistry(
      new QueueMeta('workers', meta),
      () => this.now(),
      this.availability,
      bus,
    );
    this.control = new QueueControl({ driver, availability: this.availability, readyQueue });
    this.places = new SharedPlaces({
      store: new QueueMetaPlaceStore({ driver, availability: this.availability, bus, readyQueue }),
      lease: options.abandonedAfter,
      onError: (error) => this.availability.reportError(error),
    });
    this.consumers = new Consumers({
      driver,
      feed: this.feed,
      changes: this.changes,
      lookup: this.lookup,
      retention,
      now: () => this.now(),
      flows: this.flows,
      log: this.log,
      counter: this.statistics.counter,
      cancel: (id, reason) => this.cancel(id, reason),
      retryIfAsked: (id) => this.retries.retryIfAsked(id),
      wholes: this.wholes,
      abandonedAfter: options.abandonedAfter,
      completion: this.completionDeps(),
      onError: (error) => this.availability.reportError(error),
      availability: this.availability,
      control: this.control,
      workersOf: (queue) => this.workersOf(queue),
    });
  }

  readonly shards = [{ name: DEFAULT_SHARD, ping: () => this.ping() }];

  missingShards(): readonly string[] {
    return [];
  }

  start(): Promise<void> {
    return this.availability.whenReachable(async () => undefined);
  }

  now(): number {
    return this.driver.clock.now();
  }

  enqueue(calls: readonly TaskCall[]): Promise<Receipt[]> {
    return this.enqueuer.enqueue(calls);
  }

  enqueueTree(tree: TaskTree): Promise<Receipt> {
    return this.enqueuer.enqueueTree(tree);
  }

  isStored(call: TaskCall): Promise<boolean> {
    return this.enqueuer.isStored(call);
  }

  untilTimeKnown(): Promise<void> | undefined {
    return this.enqueuer.untilTimeKnown();
  }

  enqueueIn(transaction: TransactionAdapter): TransactionEnqueue | undefined {
    const { driver, options } = this;
    if (!driver.transactions || transaction.dialect !== 'postgres') return undefined;
    const deps = {
      ...{ driver, transactions: driver.transactions, availability: this.availability, lookup: this.lookup },
      ...{
        changes: this.changes,
        retention: options.retention,
        timeout: options.timeout,
        hasPriorities: options.hasPriorities,
      },
      secret: () => this.secret(),
      forgetSecret: () => (this.knownSecret = undefined),
      isStored: (call: TaskCall) => this.enqueuer.isStored(call),
    };
    return new TransactionEnqueuer(deps, transaction);
  }

  async find(id: string): Promise<TaskRecord | undefined> {
    return (await this.lookup.find(id))?.record;
  }

  countEndedMembers(record: TaskRecord): Promise<number> {
    return this.lookup.countEndedMembers(record);
  }

  watch(id: string, listener: ChangeListener, options: WatchOptions): () => void {
    return this.feed.watch(id, (success) => listener(success && this.lookup.recordOfSuccess(id, success)), options);
  }

  cancel(id: string, reason: string | undefined, withWhole = false): Promise<TaskRecord | undefined> {
    return this.commands.cancel(id, reason, withWhole);
  }

  failWhole(id: string, failed: FailureOfWhole): Promise<boolean> {
    return this.wholes.fail(id, failed);
  }

  retry(id: string): Promise<TaskRecord | undefined> {
    return this.retries.retry(id);
  }

  retryLeftBehind(id: string): Promise<boolean> {
    return this.retries.retryLeftBehind(id);
  }

  promote(id: string): Promise<TaskRecord | undefined> {
    return this.edits.promote(id);
  }

  update(id: string, change: TaskEdit): Promise<TaskRecord | undefined> {
    return this.edits.update(id, change);
  }

  discard(id: string): Promise<boolean> {
    return this.commands.discard(id);
  }

  forget(id: string): Promise<boolean> {
    return this.commands.forget(id);
  }

  readLog(id: string, after: number, limit: number): Promise<LogPage | undefined> {
    return this.log.read(id, after, limit);
  }

  async attempts(id: string): Promise<AttemptRecord[] | undefined> {
    const found = await this.lookup.find(id);
    return found && readAttempts(found.json, found.record);
  }

  consume(queue: string, options: ConsumerOptions, handler: DeliveryHandler): Consumer {
    return this.consumers.consume(queue, options, handler);
  }

  ping(): Promise<void> {
    return this.availability.ping();
  }

  async diagnose(): Promise<Finding[]> {
    const { availability, driver, options } = this;
    const [engine, ...settings] = await availability.withRetries('diagnose', () => driver.diagnose());
    const rest = [diagnoseVersions(options.packages), ...settings, diagnoseClock(driver.clock)];
    return engine ? [engine, ...rest] : rest;
  }

  foreignWorkers(queues: readonly string[]): Promise<readonly ForeignWorker[]> {
    const { availability, driver } = this;
    return availability.withRetries('list the workers of BullMQ', async () => {
      await driver.connect();
      // A user without this permission, or a server without this command, is no reason to fail.
      return driver.foreignWorkers(queues).catch((error: unknown) => {
        if (driver.isOutage(error) && !driver.isForbidden(error)) throw error;
        return [];
      });
    });
  }

  serveRequests(answer: AnswerRequest): void {
    this.desk.serveRequests(answer);
  }

  blockOf(queue: string, declared: RateLimit | undefined): Promise<QueueBlock> {
    return this.blocks.blockOf(queue, declared);
  }

  onTaskChange(types: Iterable<TaskChangeType>, listener: TaskChangeListener): () => void {
    return this.changes.onTaskChange(types, listener);
  }

  native(queue: string): Queue {
    return this.queues.named(queue);
  }

  close(): Promise<void> {
    this.closing ??= this.shutDown();
    return this.closing;
  }

  private completionDeps(): TaskCompletionDeps | undefined {
    const { driver, options } = this;
    if (!driver.transactions) return undefined;
    const { completions } = driver.transactions;
    const { timeout, abandonedAfter } = options;
    return { completions, timeout, abandonedAfter, secret: () => this.secret() };
  }

  private async secret(): Promise<string> {
    this.knownSecret ??= await this.schedules.secret();
    return this.knownSecret;
  }

  private prepare(queue: Queue): void {
    if (!this.driver.namesWorkers) patchClientList(queue, () => this.workersOf(queue.name));
    patchMetrics(queue, this.statistics, () => this.now());
  }

  /** The workers of a queue that run now. */
  private async workersOf(queue: string): Promise<WorkerRecord[]> {
    const workers = await this.workers.list();
    return workers.filter((worker) => worker.queues.includes(queue) && isAlive(worker, this.now()));
  }

  private async shutDown(): Promise<void> {
    await this.statistics.close();
    await endsWithin(this.places.close(), PLACES_GRACE);
    this.availability.close();
    await this.consumers.stop();
    await this.feed.close();
    // Connections first: a queue that never reached its server would wait for it before it closes.
    await this.driver.close();
    await this.queues.close();
  }
}
