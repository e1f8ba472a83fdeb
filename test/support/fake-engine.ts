import type { AttemptRecord } from '../../lib/engine/attempt.js';
import { type Engine } from '../../lib/engine/engine.js';
import type { Finding } from '../../lib/engine/ports/diagnosis-port.js';
import type { LogPage } from '../../lib/engine/ports/history-port.js';
import type { QueueBlock } from '../../lib/engine/ports/block-port.js';
import type { Consumer } from '../../lib/engine/ports/worker-port.js';
import { isFinal, type Receipt, type TaskCall, type TaskRecord, type TaskTree } from '../../lib/engine/task.js';
import { newTaskId } from '../../lib/engine/task-id.js';
import type { ListPort } from '../../lib/engine/ports/list-port.js';
import { MemoryControl, type SettingsByQueue } from '../../lib/engine/memory/memory-control.js';
import { Statistics } from '../../lib/engine/statistics/statistics.js';
import { MemoryTexts } from '../../lib/engine/statistics/text-store.js';
import { MemoryWorkerRegistry, type MemoryWorker } from '../../lib/engine/memory/memory-worker-registry.js';
import { FakeScheduleStore } from './fake-schedule-store.js';

/**
 * An engine for tests of code above the engine port. It keeps tasks in a `Map`, the test changes them, and none runs.
 */
export class FakeEngine implements Engine {
  private readonly records = new Map<string, TaskRecord>();
  private readonly listeners = new Map<string, Set<() => void>>();
  /** The error that the methods reject with, once it is set. */
  failure: Error | undefined;
  /** What keeps the tasks of all queues from starting. */
  block: QueueBlock = { isPaused: false, isMaxed: false, limitedFor: 0, limit: undefined };
  /** The ids of all calls of `cancel`. */
  readonly cancelled: string[] = [];
  /** The number of calls of `find`. */
  finds = 0;
  /** The number of calls of `countEndedMembers`. */
  counts = 0;
  readonly schedules = new FakeScheduleStore();
  private readonly settings: SettingsByQueue = new Map();
  readonly control = new MemoryControl({ open: () => this.settings, changed: () => undefined });
  readonly statistics = new Statistics({
    parts: new MemoryTexts(() => new Map()),
    merged: new MemoryTexts(() => new Map()),
    now: () => this.now(),
    keep: false,
  });
  readonly places = { take: async () => ({ giveBack: () => undefined }) };
  private readonly snapshotTexts = new Map<string, string>();
  readonly snapshots = new MemoryTexts(() => this.snapshotTexts);
  private readonly workerRecords = new Map<string, MemoryWorker>();
  readonly workers = new MemoryWorkerRegistry(
    () => this.workerRecords,
    () => this.now(),
  );

  serveRequests(): void {}

  readonly shards = [{ name: 'default', ping: () => this.ping() }];
  missing: readonly string[] = [];

  missingShards(): readonly string[] {
    return this.missing;
  }

  /** One list: the one that has the state of a task as its name. */
  readonly lists: ListPort = {
    queueNames: async () => [...new Set(Array.from(this.records.values(), ({ queue }) => queue))].toSorted(),
    list: async ({ list, queues, after, count }) =>
      [...this.records.values()]
        .filter(({ state, queue }) => state === list && queues.includes(queue))
        .map((record, index) => ({ record, parent: undefined, args: () => [], position: [String(index + 1)], time: 0 }))
        .slice(Number(after?.[0] ?? 0))
        .slice(0, count),
    figures: async () => [],
    countQueued: async () => 0,
    details: async () => undefined,
  };
  async ping(): Promise<void> {
    if (this.failure) throw this.failure;
  }

  async diagnose(): Promise<Finding[]> {
    return [];
  }

  async foreignWorkers(): Promise<[]> {
    return [];
  }

  /** Stores a task, `running` unless `known` has another state. */
  add(known: Partial<TaskRecord> = {}): string {
    const id = known.id ?? newTaskId('default');
    this.records.set(id, {
      id,
      name: 'Reports.build',
      queue: 'default',
      state: 'running',
      progress: null,
      result: null,
      error: null,
      attempt: 1,
      maxAttempts: 1,
      enqueuedAt: Date.UTC(2026, 0, 1),
      startedAt: Date.UTC(2026, 0, 1, 0, 0, 1),
      finishedAt: null,
      expiresAt: null,
      headers: {},
      ...known,
    });
    return id;
  }

  change(id: string, change: Partial<TaskRecord>): void {
    this.add({ ...this.known(id), ...change, id });
    this.notify(id);
  }

  succeed(id: string, result: TaskRecord['result'] = null): void {
    this.change(id, { state: 'succeeded', result, finishedAt: Date.UTC(2026, 0, 1, 0, 1) });
  }

  drop(id: string): void {
    this.records.delete(id);
    this.notify(id);
  }

  /** The number of tasks that have a watcher. */
  get watched(): number {
    return this.listeners.size;
  }

  now(): number {
    return Date.now();
  }

  start(): Promise<void> {
    return Promise.resolve();
  }

  async enqueue(calls: readonly TaskCall[]): Promise<Receipt[]> {
    if (this.failure) throw this.failure;
    return calls.map(({ id, name, queue }) => {
      this.add({ id, name, queue, state: 'queued', attempt: 0, startedAt: null });
      return { id, deduplicated: false, state: 'queued' };
    });
  }

  async isStored({ id }: TaskCall): Promise<boolean> {
    return this.records.has(id);
  }

  enqueueIn(): undefined {}

  async find(id: string): Promise<TaskRecord | undefined> {
    this.finds++;
    if (this.failure) throw this.failure;
    return this.records.get(id);
  }

  async countEndedMembers({ id }: TaskRecord): Promise<number> {
    this.counts++;
    return [...this.records.values()].filter(({ state, id: member }) => member !== id && isFinal(state)).length;
  }

  watch(id: string, listener: () => void): () => void {
    const listeners = this.listeners.get(id) ?? new Set();
    this.listeners.set(id, listeners.add(listener));
    queueMicrotask(listener);
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0) this.listeners.delete(id);
    };
  }

  async enqueueTree(tree: TaskTree): Promise<Receipt> {
    const [receipt] = await this.enqueue([tree]);
    return receipt as Receipt;
  }

  async failWhole(): Promise<boolean> {
    return false;
  }

  async retryLeftBehind(): Promise<boolean> {
    return true;
  }

  async cancel(id: string): Promise<TaskRecord | undefined> {
    if (this.failure) throw this.failure;
    this.cancelled.push(id);
    const record = this.records.get(id);
    if (!record || isFinal(record.state)) return record;
    // As on a real engine, a running task only gets a request to stop.
    if (record.state !== 'running') this.change(id, { state: 'cancelled', finishedAt: Date.UTC(2026, 0, 1, 0, 1) });
    return this.records.get(id);
  }

  async retry(id: string): Promise<TaskRecord | undefined> {
    return this.records.get(id);
  }

  async promote(id: string): Promise<TaskRecord | undefined> {
    return this.records.get(id);
  }

  async update(id: string): Promise<TaskRecord | undefined> {
    return this.records.get(id);
  }

  async discard(id: string): Promise<boolean> {
    return this.records.delete(id);
  }

  async forget(id: string): Promise<boolean> {
    return this.records.delete(id);
  }

  async readLog(id: string): Promise<LogPage | undefined> {
    return this.records.has(id) ? { lines: [], kept: 0 } : undefined;
  }

  async attempts(id: string): Promise<AttemptRecord[] | undefined> {
    return this.records.has(id) ? [] : undefined;
  }

  consume(): Consumer {
    return { started: Promise.resolve(), running: () => [], silentFor: () => 0, stop: () => Promise.resolve() };
  }

  async blockOf(): Promise<QueueBlock> {
    return this.block;
  }

  onTaskChange(): () => void {
    return () => undefined;
  }

  native(): unknown {
    return undefined;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  private known(id: string): TaskRecord {
    const record = this.records.get(id);
    if (!record) throw new Error(`The test did not add the task ${id}.`);
    return record;
  }

  private notify(id: string): void {
    for (const listener of this.listeners.get(id) ?? []) listener();
  }
}
