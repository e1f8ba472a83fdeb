import { setMaxListeners } from 'node:events';
import { EngineUnavailableError } from '../errors.js';
import { isFinal, type Engine, type Interest, type TaskRecord } from '../engine/engine.js';
import { Inbox } from './inbox.js';
import { WatchedTask, type Observer } from './watched-task.js';

/** How long those who still wait when the application closes may take to learn that their task has just ended. */
const LAST_LOOK = 1_000;

/** In so many milliseconds the engine's poll has had everybody look. */
const SURELY_LOOKED = 3_000;

const TIME_IS_UP = Symbol('time is up');

export interface SettledOptions {
  readonly timeout?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly isNew?: boolean;
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
  updates(id: string, signal?: AbortSignal): AsyncGenerator<TaskRecord, void, undefined> {
    return this.follow(id, signal, { endOnly: false, isNew: false });
  }

  private async *follow(
    id: string,
    signal: AbortSignal | undefined,
    { endOnly, isNew }: Interest,
  ): AsyncGenerator<TaskRecord, void, undefined> {
    const inbox = new Inbox(!endOnly);
    const leave = this.join(id, inbox, isNew);
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
   * @param options.isNew it was enqueued this moment: nobody looks at it before its end is told, or a second has passed
   * @throws as {@link updates}
   */
  async settled(id: string, { timeout, signal, isNew = false }: SettledOptions = {}): Promise<TaskRecord | undefined> {
    const limit = new AbortController();
    const timer = timeout === undefined ? undefined : setTimeout(() => limit.abort(TIME_IS_UP), timeout);
    let latest: TaskRecord | undefined;
    try {
      const either = signal ? AbortSignal.any([signal, limit.signal]) : limit.signal;
      const interest = { endOnly: true, isNew: isNew && (timeout ?? Infinity) > SURELY_LOOKED };
      for await (const record of this.follow(id, either, interest)) latest = record;
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

  private join(id: string, observer: Observer, isNew: boolean): () => void {
    let task = this.watched.get(id);
    if (!task) {
      task = new WatchedTask(this.engine, id, isNew);
      this.watched.set(id, task);
    }
    const joined = task;
    joined.add(observer);
    return () => {
      if (joined.remove(observer) && this.watched.get(id) === joined) this.watched.delete(id);
    };
  }
}
