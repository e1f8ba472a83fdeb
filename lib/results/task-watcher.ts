import { setMaxListeners } from 'node:events';
import { EngineUnavailableError } from '../errors.js';
import { isFinal, type Engine, type TaskRecord } from '../engine/engine.js';
import { Inbox } from './latest-record.js';
import { WatchedTask, type Observer } from './watched-task.js';

/** How long those who still wait when the application closes may take to learn that their task has just ended. */
const LAST_LOOK = 1_000;

/** In so many milliseconds the engine's poll has had everybody look. */
const SURELY_LOOKED = 3_000;

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
   * Tells `observer` of the task as it is now, then at every change, until the function that this gives is called. The
   * first time is never before that is given.
   *
   * @param isNew it was enqueued this moment: nobody looks at it before its end is told, or a second has passed
   */
  follow(id: string, observer: Observer, isNew = false): () => void {
    const task = this.watched.get(id) ?? new WatchedTask(this.engine, id, isNew);
    this.watched.set(id, task);
    task.add(observer);
    return () => {
      if (task.remove(observer) && this.watched.get(id) === task) this.watched.delete(id);
    };
  }

  /**
   * The task now, then at every change, ending with its final record.
   *
   * @throws TaskNotFoundError when there is no such task, or none any more
   * @throws the signal's reason once that is aborted
   */
  async *updates(id: string, signal?: AbortSignal): AsyncGenerator<TaskRecord, void, undefined> {
    const inbox = new Inbox();
    const leave = this.follow(id, inbox);
    const ignore = onAbort(signal, (reason) => inbox.fail(reason));
    try {
      for (;;) {
        const record = await inbox.take();
        yield record;
        if (isFinal(record.state)) return;
      }
    } finally {
      ignore();
      leave();
    }
  }

  /**
   * The task's record as soon as it is final, or as it is after `timeout` milliseconds: `undefined` when the engine
   * could not be asked until then.
   *
   * @param options.isNew as for {@link follow}
   * @throws as {@link updates}
   */
  settled(id: string, { timeout, signal, isNew = false }: SettledOptions = {}): Promise<TaskRecord | undefined> {
    return new Promise((resolve, reject) => {
      let latest: TaskRecord | undefined;
      const end = (settle: () => void) => {
        leave();
        ignore();
        clearTimeout(timer);
        settle();
      };
      const observer: Observer = {
        wantsChanges: false,
        next(record) {
          latest = record;
          if (isFinal(record.state)) end(() => resolve(record));
        },
        fail: (error) => end(() => reject(error)),
      };
      const leave = this.follow(id, observer, isNew && (timeout ?? Infinity) > SURELY_LOOKED);
      const timer = timeout === undefined ? undefined : setTimeout(() => end(() => resolve(latest)), timeout);
      const ignore = onAbort(signal, observer.fail);
    });
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
}

/** Calls `listener` with the reason once the signal is aborted, at the earliest in a moment; gives what takes that back. */
function onAbort(signal: AbortSignal | undefined, listener: (reason: unknown) => void): () => void {
  if (!signal) return () => undefined;
  const call = () => listener(signal.reason);
  if (signal.aborted) queueMicrotask(call);
  // One signal may end any number of waits; Node takes more than ten listeners for a leak.
  setMaxListeners(0, signal);
  signal.addEventListener('abort', call, { once: true });
  return () => signal.removeEventListener('abort', call);
}
