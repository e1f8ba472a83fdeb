import type { Engine, TaskRecord } from '../engine/engine.js';
import { childrenOf, type Child } from './children.js';
import { TaskWatcher, type SettledOptions } from './task-watcher.js';
import type { Observer } from './watched-task.js';
import { withProgress } from './workflow-progress.js';

/** Everything that can be asked or done about a stored task. Handles and the HTTP endpoint both stand on it. */
export class TaskResults {
  private readonly watcher: TaskWatcher;

  constructor(private readonly engine: Engine) {
    this.watcher = new TaskWatcher(engine);
  }

  /** `undefined` for what is unknown, malformed, expired or another application's: one answer for all of them. */
  async find(id: string): Promise<TaskRecord | undefined> {
    return withProgress(await this.engine.find(id), this.engine);
  }

  /** See {@link TaskWatcher.follow}. */
  follow(id: string, observer: Observer): () => void {
    return this.watcher.follow(id, observer);
  }

  /** See {@link TaskWatcher.updates}. */
  updates(id: string, signal?: AbortSignal): AsyncGenerator<TaskRecord, void, undefined> {
    return this.watcher.updates(id, signal);
  }

  /** See {@link TaskWatcher.settled}. */
  settled(id: string, options?: SettledOptions): Promise<TaskRecord | undefined> {
    return this.watcher.settled(id, options);
  }

  /** The members of a workflow, in order; of one that is not stored, the id alone. */
  children(record: TaskRecord): Promise<Child[]> {
    return childrenOf(record, this.engine);
  }

  cancel(id: string, reason?: string): Promise<TaskRecord | undefined> {
    return this.engine.cancel(id, reason);
  }

  async retry(id: string): Promise<TaskRecord | undefined> {
    return withProgress(await this.engine.retry(id), this.engine);
  }

  forget(id: string): Promise<boolean> {
    return this.engine.forget(id);
  }

  /** Answers everybody who still waits, for the application closes. */
  close(): Promise<void> {
    return this.watcher.close();
  }
}
