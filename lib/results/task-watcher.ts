import { setMaxListeners } from 'node:events';
import { EngineUnavailableError, TaskNotFoundError } from '../errors.js';
import { isFinal, type Engine, type TaskRecord } from '../engine/engine.js';

/** How long those who still wait when the application closes may take to learn that their task has just ended. */
const LAST_LOOK = 1_000;

const TIME_IS_UP = Symbol('time is up');

/** What somebody who waits hears: each changed record, or why there will be none. */
interface Observer {
  next(record: TaskRecord): void;
  fail(error: unknown): void;
}

/**
 * Follows tasks for everybody in this process who waits for one: however many wait for the same task, the engine is
 * watched once and asked once for each change.
 */
export class TaskWatcher {
  private readonly watched = new Map<string, WatchedTask>();

  constructor(private readonly engine: Engine) {}

  /**
   * The task now, then at every change, ending with its final record.
   *
   * @throws TaskNotFoundError when there is no such task, or none any more
   * @throws the signal's reason once that is aborted
   */
  async *updates(id: string, signal?: AbortSignal): AsyncGenerator<TaskRecord, void, undefined> {
    const inbox = new Inbox();
    const leave = this.join(id, inbox);
    const onAbort = () => inbox.fail(signal?.reason);
    if (signal) {
      // One signal may end any number of waits; Node takes more than ten listeners for a leak.
      setMaxListeners(0, signal);
      signal.addEventListener('abort', onAbort, { once: true });
    }
    if (signal?.aborted) onAbort();
    try {
      for (;;) {
        const record = await inbox.take();
        yield record;
        if (isFinal(record.state)) return;
      }
    } finally {
      signal?.removeEventListener('abort', onAbort);
      leave();
    }
  }

  /**
   * The task's record as soon as it is final, or as it is after `timeout` milliseconds: `undefined` when the engine
   * could not be asked until then.
   *
   * @throws as {@link updates}
   */
  async settled(
    id: string,
    { timeout, signal }: { timeout?: number | undefined; signal?: AbortSignal | undefined } = {},
  ): Promise<TaskRecord | undefined> {
    const limit = new AbortController();
    const timer = timeout === undefined ? undefined : setTimeout(() => limit.abort(TIME_IS_UP), timeout);
    let latest: TaskRecord | undefined;
    try {
      for await (const record of this.updates(id, signal ? AbortSignal.any([signal, limit.signal]) : limit.signal)) {
        latest = record;
      }
    } catch (error) {
      if (error !== TIME_IS_UP) throw error;
    } finally {
      clearTimeout(timer);
    }
    return latest;
  }

  /** Answers everybody who still waits: the application closes. Those whose task has just ended are told so. */
  async close(): Promise<void> {
    const reason = new EngineUnavailableError('The application closes, nobody follows this task here any more.');
    const looks = Promise.all(Array.from(this.watched.values(), (task) => task.look()));
    let timer: NodeJS.Timeout | undefined;
    await Promise.race([looks, new Promise((resolve) => (timer = setTimeout(resolve, LAST_LOOK)))]);
    clearTimeout(timer);
    for (const task of this.watched.values()) task.fail(reason);
  }

  private join(id: string, observer: Observer): () => void {
    let task = this.watched.get(id);
    if (!task) {
      task = new WatchedTask(this.engine, id);
      this.watched.set(id, task);
    }
    const joined = task;
    joined.add(observer);
    return () => {
      if (joined.remove(observer) && this.watched.get(id) === joined) this.watched.delete(id);
    };
  }
}

/** One task that somebody waits for. */
class WatchedTask {
  private readonly observers = new Set<Observer>();
  private readonly unwatch: () => void;
  private latest: TaskRecord | undefined;
  private fingerprint = '';
  private asking = false;
  private askAgain = false;

  constructor(
    private readonly engine: Engine,
    private readonly id: string,
  ) {
    this.unwatch = engine.watch(id, () => this.changed());
  }

  add(observer: Observer): void {
    this.observers.add(observer);
    if (this.latest) observer.next(this.latest);
  }

  /** True when that was the last one, and the engine is no longer watched. */
  remove(observer: Observer): boolean {
    this.observers.delete(observer);
    if (this.observers.size > 0) return false;
    this.unwatch();
    return true;
  }

  fail(error: unknown): void {
    for (const observer of this.observers) observer.fail(error);
  }

  /** Asks once however many changes arrive meanwhile, and once more after that, so that the last one is not missed. */
  private changed(): void {
    if (this.asking) {
      this.askAgain = true;
      return;
    }
    this.asking = true;
    void this.look().finally(() => {
      this.asking = false;
      if (!this.askAgain) return;
      this.askAgain = false;
      this.changed();
    });
  }

  /** Asks now, whatever else is under way. Never rejects. */
  async look(): Promise<void> {
    let record: TaskRecord | undefined;
    try {
      record = await this.engine.find(this.id);
    } catch {
      // The engine cannot be reached: its next poll asks again, and who waits has a time limit of its own.
      return;
    }
    if (!record) return this.fail(new TaskNotFoundError(this.id));
    const fingerprint = JSON.stringify(record);
    if (fingerprint === this.fingerprint) return;
    this.fingerprint = fingerprint;
    this.latest = record;
    for (const observer of this.observers) observer.next(record);
  }
}

/** Holds the newest record until its reader takes it: a slow reader skips what is outdated and never misses the end. */
class Inbox implements Observer {
  private waiting: TaskRecord | undefined;
  private failure: { readonly error: unknown } | undefined;
  private wake: (() => void) | undefined;

  next(record: TaskRecord): void {
    this.waiting = record;
    this.wake?.();
  }

  fail(error: unknown): void {
    this.failure ??= { error };
    this.wake?.();
  }

  async take(): Promise<TaskRecord> {
    while (!this.waiting && !this.failure) {
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
    if (this.failure) throw this.failure.error;
    const record = this.waiting as TaskRecord;
    this.waiting = undefined;
    return record;
  }
}
