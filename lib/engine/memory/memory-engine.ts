import { setImmediate } from 'node:timers';
import { IdempotencyConflictError } from '../../errors.js';
import { ATTEMPTS_KEPT, type AttemptRecord } from '../attempt.js';
import { refuseArguments, refusePromotion, refuseUpdate } from '../act-refusals.js';
import { closedError } from '../closed-error.js';
import { refuseConflict, standsForLaterCalls } from '../deduplication.js';
import type { Engine } from '../engine.js';
import { storableText } from '../json.js';
import type { QueueBlock } from '../ports/block-port.js';
import type { RateLimit } from '../ports/control-port.js';
import type { TaskChangeListener, TaskChangeType } from '../ports/event-port.js';
import { fine, type Finding } from '../ports/diagnosis-port.js';
import type { LogPage } from '../ports/history-port.js';
import type { FailureOfWhole, TaskEdit } from '../ports/command-port.js';
import type { ChangeListener, WatchOptions } from '../ports/query-port.js';
import type { TransactionEnqueue } from '../ports/transaction-port.js';
import type { Consumer, ConsumerOptions, DeliveryHandler } from '../ports/worker-port.js';
import type { Retention } from '../retention.js';
import { isFinal, type Receipt, type TaskCall, type TaskRecord, type TaskTree } from '../task.js';
import { systemClock, type Clock } from '../clock.js';
import { SharedPlaces } from '../places/shared-places.js';
import { TaskChanges } from '../task-changes.js';
import { DEFAULT_SHARD, ONE_SHARD, type Topology } from '../shards/topology.js';
import type { HeldCalls } from '../held-calls.js';
import { MemoryCancels } from './memory-cancels.js';
import { MemoryChanges } from './memory-changes.js';
import { MemoryConsumer } from './memory-consumer.js';
import { MemoryLists } from './memory-lists.js';
import { MemoryControl } from './memory-control.js';
import { countTaken, MemoryPlaceStore } from './memory-place-store.js';
import { openPlace, type MemoryPlace } from './memory-place.js';
import { MemoryRetries } from './memory-retries.js';
import { MemoryScheduleStore } from './memory-schedule-store.js';
import { Statistics } from '../statistics/statistics.js';
import { MemoryTexts } from '../statistics/text-store.js';
import { MemoryWorkerRegistry } from './memory-worker-registry.js';
import { missingQueue } from './missing-queue.js';
import { attemptOf, hasEnded, type StoredTask } from './stored-task.js';
import { stateOf, toRecord } from './task-to-record.js';
import { Watchers } from './watchers.js';
import { PackageLogger } from '../../package-logger.js';

export interface MemoryEngineOptions {
  /** The name under which applications of this process share their tasks; without one, nothing is shared. */
  readonly name?: string | undefined;
  readonly retention: Retention;
  /** How many lines are kept of the log of each task. Default: 1,000. */
  readonly logLines?: number;
  /** Milliseconds for which statistics are kept; `false`: nothing is counted. Default: a week. */
  readonly keepStatistics?: number | false;
  /** Which queue is in which shard, for the tasks that look after workflows. Default: there is one shard. */
  readonly topology?: Topology;
  /** Default: the clock of the system. The first application of a shared place decides. */
  readonly clock?: Clock;
  /** Called before a call that stored tasks resolves. Default: the call takes a turn of the event loop. */
  readonly onStored?: (ids: readonly string[]) => Promise<void>;
  /** Called when a caller begins to wait for a task. */
  readonly onWatched?: (id: string) => void;
  /** Keeps what transactions enqueue. Default: it is stored at once. */
  readonly held?: HeldCalls;
}

/** Milliseconds for which an application has a place that it does not confirm. */
const LEASE = 3_600_000;

/** The engine that stores nothing: tasks live in this process, in plain data structures, and end with it. */
export class MemoryEngine implements Engine {
  readonly schedules = new MemoryScheduleStore(() => this.openPlace('schedules').schedules);
  readonly workers = new MemoryWorkerRegistry(
    () => this.openPlace('workers').workers,
    () => this.now(),
  );
  readonly lists = new MemoryLists({
    store: (what) => this.openPlace(what).store,
    isPaused: (queue) => this.place.dispatcher.isPaused(queue),
    recordOf: (task) => this.recordOf(task),
  });
  readonly control = new MemoryControl({
    open: () => this.openPlace('settings').settings,
    changed: (queue, limitIsGone) => {
      this.place.store.useQueue(queue);
      this.place.dispatcher.settingsChanged(queue, limitIsGone);
    },
  });
  private readonly placeStore = new MemoryPlaceStore({
    open: () => this.openPlace('take a place').places,
    limitOf: (queue) => this.place.dispatcher.limitOf(queue),
    now: () => this.now(),
  });
  /** No process dies and leaves its places behind. */
  readonly places = new SharedPlaces({ store: this.placeStore, lease: LEASE, onError: () => undefined });
  readonly snapshots = new MemoryTexts(() => this.openPlace('snapshots').snapshots);
  /** For the testing kit, which looks into it. */
  readonly place: MemoryPlace;
  /** For the testing kit, which runs tasks itself. */
  readonly changes: MemoryChanges;
  readonly statistics: Statistics;
  private readonly taskChanges: TaskChanges;
  private readonly cancels: MemoryCancels;
  private readonly retries: MemoryRetries;
  private readonly watchers = new Watchers((task) => this.recordOf(task));
  private readonly onChange = (task: StoredTask, isEnd: boolean) => this.watchers.changed(task, isEnd);
  private readonly consumers = new Set<MemoryConsumer>();
  private readonly retention: Retention;
  readonly logLines: number;
  private readonly onStored: (ids: readonly string[]) => Promise<void>;
  private readonly onWatched: ((id: string) => void) | undefined;
  private readonly held: HeldCalls | undefined;
  private turn: Promise<void> | undefined;
  private isClosed = false;

  constructor({
    name,
    retention,
    logLines = 1_000,
    keepStatistics,
    topology = ONE_SHARD,
    clock = systemClock,
    onStored,
    onWatched,
    held,
  }: MemoryEngineOptions) {
    this.held = held;
    this.retention = retention;
    this.logLines = logLines;
    this.onStored = onStored ?? (() => this.nextTurn());
    this.onWatched = onWatched;
    this.place = openPlace(name, clock);
    this.place.onChange.add(this.onChange);
    this.statistics = new Statistics({
      parts: new MemoryTexts(() => this.openPlace('statistics').statistics.parts),
      merged: new MemoryTexts(() => this.openPlace('statistics').statistics.merged),
      now: () => this.now(),
      ...(keepStatistics !== undefined && { keep: keepStatistics }),
    });
    this.taskChanges = new TaskChanges(this.statistics.counter);
    this.changes = new MemoryChanges({
      counter: this.statistics.counter,
      store: this.place.store,
      changes: this.taskChanges,
      retention,
      recordOf: (task) => this.recordOf(task),
      now: () => this.now(),
      topology,
    });
    this.cancels = new MemoryCancels({
      changes: this.changes,
      now: () => this.now(),
      logger: new PackageLogger(),
    });
    this.retries = new MemoryRetries(this.place.store, () => this.now());
  }

  readonly shards = [{ name: DEFAULT_SHARD, ping: () => this.ping() }];

  missingShards(): readonly string[] {
    return [];
  }

  async start(): Promise<void> {}

  async ping(): Promise<void> {
    this.openPlace('ping');
    await this.nextTurn();
  }

  async diagnose(): Promise<Finding[]> {
    return [fine('engine', 'The memory engine is a part of this process. Its tasks end with it.')];
  }

  /** BullMQ has no workers here. */
  async foreignWorkers(): Promise<[]> {
    return [];
  }

  /** No other process reaches this one. */
  serveRequests(): void {}

  now(): number {
    return this.place.clock.now();
  }

  async enqueue(calls: readonly TaskCall[]): Promise<Receipt[]> {
    this.openPlace('enqueue');
    const receipts: Receipt[] = [];
    let conflict: IdempotencyConflictError | undefined;
    for (const call of calls) {
      try {
        receipts.push(this.enqueueOne(call));
      } catch (error) {
        if (!(error instanceof IdempotencyConflictError)) throw error;
        // The other calls are stored, as on every engine.
        conflict ??= error;
      }
    }
    await this.onStored(calls.map(({ id }) => id));
    if (conflict) throw conflict;
    return receipts;
  }

  async enqueueTree(tree: TaskTree): Promise<Receipt> {
    if (tree.members.length === 0) return (await this.enqueue([tree]))[0] as Receipt;
    this.openPlace('enqueue a workflow');
    this.changes.add(tree);
    await this.onStored([tree.id]);
    return { id: tree.id, deduplicated: false, state: 'waiting' };
  }

  async isStored({ id, unique }: TaskCall): Promise<boolean> {
    const { store } = this.openPlace('find');
    const earlier = unique && store.holderOf(unique.key);
    return store.find(id) !== undefined || (!!earlier && standsForLaterCalls(stateOf(earlier, this.now()), unique));
  }

  /** There is no database, so calls are stored at once, unless a test holds them. */
  enqueueIn(): TransactionEnqueue {
    if (this.held) return this.held.portOf(this);
    return {
      enqueue: (calls) => this.enqueue(calls),
      enqueueTree: (tree) => this.enqueueTree(tree),
      isStored: (call) => this.isStored(call),
      isOpen: async () => false,
    };
  }

  async find(id: string): Promise<TaskRecord | undefined> {
    await this.nextTurn();
    const task = this.openPlace('find').store.find(id);
    return task && this.recordOf(task);
  }

  async countEndedMembers({ id }: TaskRecord): Promise<number> {
    const workflow = this.openPlace('find').store.find(id)?.workflow;
    return workflow ? workflow.members.length - workflow.unended : 0;
  }

  watch(id: string, listener: ChangeListener, options: WatchOptions): () => void {
    if (this.isClosed) return () => undefined;
    this.onWatched?.(id);
    return this.watchers.watch(id, this.place.store.find(id), listener, options);
  }

  async cancel(id: string, reason: string | undefined, withWhole = false): Promise<TaskRecord | undefined> {
    const task = this.openPlace('cancel').store.find(id);
    if (!task) return undefined;
    const wasFinal = isFinal(stateOf(task, this.now()));
    this.cancels.cancel(task, reason && storableText(reason));
    if (!withWhole && !wasFinal) this.changes.failWhole(task);
    await this.nextTurn();
    return this.recordOf(task);
  }

  async failWhole(id: string, { failure, reruns }: FailureOfWhole): Promise<boolean> {
    const task = this.openPlace('fail').store.find(id);
    if (!task || hasEnded(task) || task.place === 'running' || task.reruns !== reruns) return false;
    this.changes.fail(task, failure);
    await this.nextTurn();
    return true;
  }

  /** Nothing is left behind here: the process that stores the end runs the task again in the same step. */
  async retryLeftBehind(): Promise<boolean> {
    return true;
  }

  async retry(id: string): Promise<TaskRecord | undefined> {
    const task = this.openPlace('retry').store.find(id);
    if (!task) return undefined;
    await this.retries.retry(task);
    await this.onStored([id]);
    return this.recordOf(task);
  }

  async promote(id: string): Promise<TaskRecord | undefined> {
    const { store } = this.openPlace('promote');
    const task = store.find(id);
    const record = task && this.recordOf(task);
    if (!task || !record) return undefined;
    if (record.state !== 'scheduled' && record.state !== 'retrying') throw refusePromotion(record);
    if (task.place === 'delayed') store.setStart(task, this.now(), 'front');
    await this.nextTurn();
    return this.recordOf(task);
  }

  async update(id: string, change: TaskEdit): Promise<TaskRecord | undefined> {
    const { store } = this.openPlace('update');
    const task = store.find(id);
    const record = task && this.recordOf(task);
    if (!task || !record) return undefined;
    if (record.state !== 'scheduled' && record.state !== 'queued') throw refuseUpdate(record);
    if (change.args && task.unique) throw refuseArguments(record);
    store.edit(task, change);
    await this.nextTurn();
    return this.recordOf(task);
  }

  async discard(id: string): Promise<boolean> {
    const { store } = this.openPlace('discard');
    const task = store.find(id);
    const state = task && stateOf(task, this.now());
    if (!task || (state !== 'scheduled' && state !== 'queued' && state !== 'retrying')) return false;
    store.remove(task);
    await this.nextTurn();
    return true;
  }

  async forget(id: string): Promise<boolean> {
    const { store } = this.openPlace('forget');
    const task = store.find(id);
    const whole = task?.workflow?.parent;
    // A workflow that goes on needs the result.
    if (!task || !hasEnded(task) || (whole && !hasEnded(whole))) return false;
    return store.removeWhole(task);
  }

  async readLog(id: string, after: number, limit: number): Promise<LogPage | undefined> {
    await this.nextTurn();
    const task = this.openPlace('logs').store.find(id);
    return task && (task.log?.read(after, limit) ?? { lines: [], kept: 0 });
  }

  async attempts(id: string): Promise<AttemptRecord[] | undefined> {
    await this.nextTurn();
    const task = this.openPlace('attempts').store.find(id);
    if (!task) return undefined;
    const ended = structuredClone(task.history ?? []);
    const running = task.run?.hasStarted ? [attemptOf(task, { endedAt: null, outcome: null, error: null })] : [];
    return [...ended, ...running].slice(-ATTEMPTS_KEPT);
  }

  consume(queue: string, options: ConsumerOptions, handler: DeliveryHandler): Consumer {
    const place = this.openPlace('consume');
    place.store.useQueue(queue);
    void this.control.declareGlobalConcurrency(queue, options.globalConcurrency ?? null);
    const consumer = new MemoryConsumer(queue, options, handler, place, this.changes, this.logLines);
    this.consumers.add(consumer);
    return consumer;
  }

  async blockOf(queue: string, declared: RateLimit | undefined): Promise<QueueBlock> {
    const { dispatcher, settings, places } = this.openPlace('find');
    const runsAtOnce = dispatcher.countsRuns(queue) ? dispatcher.limitOf(queue) : undefined;
    return {
      isPaused: dispatcher.isPaused(queue),
      isMaxed: dispatcher.isMaxed(queue) || countTaken(places, queue) >= (runsAtOnce ?? Infinity),
      limitedFor: dispatcher.limitedFor(queue),
      limit: settings.get(queue)?.rateLimit?.value ?? declared,
    };
  }

  onTaskChange(types: Iterable<TaskChangeType>, listener: TaskChangeListener): () => void {
    return this.taskChanges.onTaskChange(types, listener);
  }

  native(queue: string): unknown {
    return missingQueue(queue);
  }

  async close(): Promise<void> {
    await this.statistics.close();
    await this.places.close();
    this.placeStore.close();
    this.isClosed = true;
    await Promise.all([...this.consumers].map((consumer) => consumer.stop(0)));
    this.watchers.close();
    this.place.onChange.delete(this.onChange);
  }

  /**
   * Every call of an application takes a turn of the event loop, as on an engine with a server. Otherwise an application
   * that calls again and again, until a task has ended, would keep the task from running.
   */
  private nextTurn(): Promise<void> {
    this.turn ??= new Promise((resolve) =>
      setImmediate(() => {
        this.turn = undefined;
        resolve();
      }),
    );
    return this.turn;
  }

  /** @internal */
  earlierOf(call: TaskCall): Receipt | undefined {
    const { store } = this.openPlace('enqueue');
    const { id, unique } = call;
    const earlier = unique && !store.find(id) && store.holderOf(unique.key);
    if (!earlier) return undefined;
    const state = stateOf(earlier, this.now());
    if (!standsForLaterCalls(state, unique)) return undefined;
    refuseConflict(call, { id: earlier.id, args: JSON.parse(earlier.args) });
    return { id: earlier.id, deduplicated: true, state };
  }

  private enqueueOne(call: TaskCall): Receipt {
    const earlier = this.earlierOf(call);
    if (earlier) return earlier;
    this.changes.add(call);
    const { id } = call;
    return { id, deduplicated: false, state: this.place.store.find(id)?.place === 'delayed' ? 'scheduled' : 'queued' };
  }

  private recordOf(task: StoredTask): TaskRecord | undefined {
    return toRecord(task, this.retention, this.now());
  }

  private openPlace(what: string): MemoryPlace {
    if (this.isClosed) throw closedError(what);
    return this.place;
  }
}
