import { setMaxListeners } from 'node:events';
import { EngineUnavailableError } from '../errors.js';
import { isFinal, type Engine, type TaskRecord } from '../engine/engine.js';
import { Inbox } from './inbox.js';
import { WatchedTask, type Observer } from './watched-task.js';

/** How long those who still wait when the application closes may take to learn that their task has just ended. */
const LAST_LOOK = 1_000;

const TIME_IS_UP = Symbol('time is up');

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
   * @param options.withProgress whether to count how far a workflow is, which takes several look-ups; default true
   * @throws TaskNotFoundError when there is no such task, or none any more
   * @throws the signal's reason once that is aborted
   */
  async *updates(
    id: string,
    signal?: AbortSignal,
    { withProgress = true }: { withProgress?: boolean } = {},
  ): AsyncGenerator<TaskRecord, void, undefined> {
    const inbox = new Inbox(withProgress);
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
      const either = signal ? AbortSignal.any([signal, limit.signal]) : limit.signal;
      for await (const record of this.updates(id, either, { withProgress: false })) latest = record;
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
