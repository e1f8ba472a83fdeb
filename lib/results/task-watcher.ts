import { setMaxListeners } from 'node:events';
import { endsWithin } from '../concurrency.js';
import { EngineUnavailableError } from '../errors.js';
import type { Engine } from '../engine/engine.js';
import { FIRST_CALL_WITHIN } from '../engine/ports/query-port.js';
import { isFinal, type TaskRecord } from '../engine/task.js';
import { LatestRecord } from './latest-record.js';
import { WatchedTask, type Observer } from './watched-task.js';

/** Milliseconds in which the remaining watchers learn, while the application closes, that their task has just ended. */
const LAST_FETCH_WITHIN = 1_000;

export interface UntilFinalOptions {
  /** Milliseconds; default: no limit. */
  readonly timeout?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Watches tasks for all callers of this process: however many wait for the same task, the engine is watched once, and
 * each change is fetched once.
 */
export class TaskWatcher {
  private readonly watched = new Map<string, WatchedTask>();

  constructor(private readonly engine: Engine) {}

  /**
   * Calls `observer` with the task as it is, then at every change, until the returned function is called. The first call
   * comes after this method returned.
   */
  follow(id: string, observer: Observer): () => void {
    const task = this.watched.get(id) ?? new WatchedTask(this.engine, id);
    this.watched.set(id, task);
    task.add(observer);
    return () => {
      if (task.remove(observer) && this.watched.get(id) === task) this.watched.delete(id);
    };
  }

  /**
   * The task as it is, then at every change, ending with its final record.
   *
   * @throws TaskNotFoundError when there is no such task, or no longer
   * @throws the signal's reason once that is aborted
   */
  async *updates(id: string, signal?: AbortSignal): AsyncGenerator<TaskRecord, void, undefined> {
    const latest = new LatestRecord();
    const leave = this.follow(id, latest);
    const ignore = onAbort(signal, (reason) => latest.fail(reason));
    try {
      for (;;) {
        const record = await latest.take();
        yield record;
        if (isFinal(record.state)) return;
      }
    } finally {
      ignore();
      leave();
    }
  }

  /**
   * The record of the task once it is final, or its latest record when `timeout` is over; `undefined` when the engine
   * could not be reached until then.
   *
   * @throws TaskNotFoundError when there is no such task, or no longer
   * @throws the signal's reason once that is aborted
   */
  untilFinal(id: string, { timeout, signal }: UntilFinalOptions = {}): Promise<TaskRecord | undefined> {
    return new Promise((resolve, reject) => {
      const timers: NodeJS.Timeout[] = [];
      let latest: TaskRecord | undefined;
      const end = (answer: () => void) => {
        leave();
        ignore();
        for (const timer of timers) clearTimeout(timer);
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
      const leave = this.follow(id, observer);
      const ignore = onAbort(signal, observer.fail);
      if (timeout === undefined) return;
      timers.push(setTimeout(() => end(() => resolve(latest)), timeout));
      // The engine may not call before a short timeout is over, and the caller is to learn the state.
      if (timeout < FIRST_CALL_WITHIN) timers.push(setTimeout(() => this.fetchUnknown(id), timeout / 2));
    });
  }

  /** Rejects what still waits, for the application closes. A watcher whose task has just ended still gets its record. */
  async close(): Promise<void> {
    const reason = new EngineUnavailableError('The application closes, so this process follows the task no longer.');
    const tasks = [...this.watched.values()];
    await endsWithin(Promise.all(tasks.map((task) => task.fetch())), LAST_FETCH_WITHIN);
    for (const task of this.watched.values()) task.fail(reason);
  }

  private fetchUnknown(id: string): void {
    const task = this.watched.get(id);
    if (task && !task.isKnown) void task.fetch();
  }
}

/**
 * Calls `listener` with the reason once the signal is aborted; of a signal that is aborted already, in a microtask.
 *
 * @returns removes the listener
 */
function onAbort(signal: AbortSignal | undefined, listener: (reason: unknown) => void): () => void {
  if (!signal) return () => undefined;
  const call = () => listener(signal.reason);
  if (signal.aborted) queueMicrotask(call);
  // One signal may end any number of waits. Without this, Node warns of a leak after ten listeners.
  setMaxListeners(0, signal);
  signal.addEventListener('abort', call, { once: true });
  return () => signal.removeEventListener('abort', call);
}
