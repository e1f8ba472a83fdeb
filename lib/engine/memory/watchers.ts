import type { ChangeListener, WatchOptions } from '../ports/query-port.js';
import type { TaskRecord } from '../task.js';
import { hasEnded, type StoredTask } from './stored-task.js';

/** Milliseconds between two calls without a change. They find what only the clock changed: a task that expired. */
const POLL_INTERVAL = 2_000;

interface Watch {
  readonly listener: ChangeListener;
  readonly endOnly: boolean;
}

/** The watchers of one application. Changes of one moment are told together, once the code that made them has ended. */
export class Watchers {
  private readonly watches = new Map<string, Set<Watch>>();
  /** Changed tasks that nobody was told of yet; the value says whether the task has ended. */
  private changes = new Map<StoredTask, boolean>();
  /** It also keeps the process alive while it waits for a task: timers of delayed tasks do not. */
  private poll: NodeJS.Timeout | undefined;

  /** @param recordOf the record that a listener gets of a task that succeeded */
  constructor(private readonly recordOf: (task: StoredTask) => TaskRecord | undefined) {}

  watch(id: string, task: StoredTask | undefined, listener: ChangeListener, { endOnly }: WatchOptions): () => void {
    const watch = { listener, endOnly };
    const known = this.watches.get(id);
    if (known) known.add(watch);
    else this.watches.set(id, new Set([watch]));
    // Who waits for the end of a task that goes on has missed nothing.
    if (!endOnly || !task || hasEnded(task)) soon(() => this.watches.get(id)?.has(watch) && listener());
    this.poll ??= setInterval(() => this.tellAll(), POLL_INTERVAL);
    return () => this.unwatch(id, watch);
  }

  changed(task: StoredTask, isEnd: boolean): void {
    if (!this.watches.has(task.id)) return;
    if (this.changes.size === 0) soon(() => this.tellChanges());
    this.changes.set(task, isEnd || this.changes.get(task) === true);
  }

  /** Calls all listeners. */
  tellAll(): void {
    for (const watches of this.watches.values()) for (const { listener } of watches) listener();
  }

  close(): void {
    this.watches.clear();
    clearInterval(this.poll);
  }

  private tellChanges(): void {
    const { changes } = this;
    this.changes = new Map();
    for (const [task, isEnd] of changes) {
      const record = task.place === 'succeeded' ? this.recordOf(task) : undefined;
      for (const { listener, endOnly } of this.watches.get(task.id) ?? []) if (isEnd || !endOnly) listener(record);
    }
  }

  private unwatch(id: string, watch: Watch): void {
    const watches = this.watches.get(id);
    watches?.delete(watch);
    if (watches?.size === 0) this.watches.delete(id);
    if (this.watches.size > 0) return;
    clearInterval(this.poll);
    this.poll = undefined;
  }
}

/** Calls back in a microtask, also while a test runner fakes `queueMicrotask`. */
function soon(callback: () => void): void {
  void Promise.resolve().then(callback);
}
