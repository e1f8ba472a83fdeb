import { setMaxListeners } from 'node:events';
import { endsWithin } from '../concurrency.js';
import { EngineUnavailableError } from '../errors.js';
import { FIRST_CALL_WITHIN } from '../engine/ports/query-port.js';
import { isFinal, type TaskRecord } from '../engine/task.js';
import { LongTimer } from '../long-timer.js';
import type { TaskEngine } from './answered-tasks.js';
import { LatestRecord } from './latest-record.js';
import { WatchedTask, type Observer } from './watched-task.js';

/**
 * Limit in milliseconds of the last fetch while the application closes: the tasks of some watchers may just have ended.
 */
const LAST_FETCH_WITHIN = 1_000;

export interface UntilFinalOptions {
  /** Milliseconds; default: no limit. */
  readonly timeout?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Watches tasks for all callers of this process. However many callers wait for the same task, this class watches the
 * engine once and fetches each change once.
 */
export class TaskWatcher {
  private readonly watched = new Map<string, WatchedTask>();
  /** Why no task can be watched any more; set once the application closes. */
  private closedBecause: EngineUnavailableError | undefined;

  constructor(private readonly engine: TaskEngine) {}

  /**
   * Calls `observer` with the current record of the task, then with each changed record, until the caller calls the
   * returned function. The first call comes after this method has returned. After {@link close}, the observer fails at
   * once: the engine would never call it.
   */
  follow(id: string, observer: Observer): () => void {
    if (this.closedBecause) return failSoon(observer, this.closedBecause);
    const task = this.watched.get(id) ?? new WatchedTask(this.engine, id);
    this.watched.set(id, task);
    task.add(observer);
    return () => {
      if (task.remove(observer) && this.watched.get(id) === task) this.watched.delete(id);
    };
  }

  /**
   * Yields the current record of the task, then each changed record. The final record is the last.
   *
   * @throws TaskNotFoundError when there is no such task, or no longer
   * @throws EngineUnavailableError when the application closes or is closed
   * @throws the reason of `signal` once it is aborted
   */
  async *updates(id: string, signal?: AbortSignal): AsyncGenerator<TaskRecord, void, undefined> {
    const latest = new LatestRecord();
    const unfollow = this.follow(id, latest);
    const removeListener = onAbort(signal, (reason) => latest.fail(reason));
    try {
      for (;;) {
        const record = await latest.take();
        yield record;
        if (isFinal(record.state)) return;
      }
    } finally {
      removeListener();
      unfollow();
    }
  }

  /**
   * Waits until the task is final.
   *
   * @returns the final record, or the latest record when `timeout` is over; `undefined` when the engine could not be
   * reached until then
   *
   * @throws TaskNotFoundError when there is no such task, or no longer
   * @throws EngineUnavailableError when the application closes or is closed
   * @throws the reason of `signal` once it is aborted
   */
  untilFinal(id: string, { timeout, signal }: UntilFinalOptions = {}): Promise<TaskRecord | undefined> {
    return new Promise((resolve, reject) => {
      const timers: LongTimer[] = [];
      let latest: TaskRecord | undefined;
      const end = (answer: () => void) => {
        unfollow();
        removeListener();
        for (const timer of timers) timer.clear();
        answer();
      };
      const observer: Observer = {
        wantsChanges: false,
        next(record) {
          latest = record;
          if (isFinal(record.state)) end(() => resolve(record));
        },
        fail: (error) => end(() => reject(error)),
      };
      const unfollow = this.follow(id, observer);
      const removeListener = onAbort(signal, observer.fail);
      if (timeout === undefined) return;
      timers.push(new LongTimer(() => end(() => resolve(latest)), timeout));
      // The engine may make its first call only after a short timeout is over. This fetch gets the state before that.
      if (timeout < FIRST_CALL_WITHIN) timers.push(new LongTimer(() => this.fetchUnknown(id), timeout / 2));
    });
  }

  /**
   * Rejects all watchers, because the application closes. A watcher whose task has just ended still gets the record. A
   * watcher that comes later, also while this method runs, is rejected at once.
   */
  async close(): Promise<void> {
    const reason = new EngineUnavailableError(
      'The application closes or is closed, so this process no longer watches the task.',
    );
    this.closedBecause ??= reason;
    const tasks = [...this.watched.values()];
    await endsWithin(Promise.all(tasks.map((task) => task.fetch())), LAST_FETCH_WITHIN);
    for (const task of this.watched.values()) task.fail(reason);
  }

  private fetchUnknown(id: string): void {
    const task = this.watched.get(id);
    if (task && !task.isKnown) void task.fetch();
  }
}

/** Fails an observer in a microtask. @returns cancels that */
function failSoon(observer: Observer, reason: Error): () => void {
  let isCancelled = false;
  queueMicrotask(() => {
    if (!isCancelled) observer.fail(reason);
  });
  return () => {
    isCancelled = true;
  };
}

/**
 * Calls `listener` with the reason once the signal is aborted. If the signal is aborted already, the call comes in a
 * microtask.
 *
 * @returns a function that removes the listener
 */
function onAbort(signal: AbortSignal | undefined, listener: (reason: unknown) => void): () => void {
  if (!signal) return () => undefined;
  const call = () => listener(signal.reason);
  if (signal.aborted) queueMicrotask(call);
  // A signal may end any number of waits. Without this, Node warns of a leak after ten listeners.
  setMaxListeners(0, signal);
  signal.addEventListener('abort', call, { once: true });
  return () => signal.removeEventListener('abort', call);
}
