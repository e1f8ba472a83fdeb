import type { Engine } from '../engine/engine.js';
import type { RateLimit } from '../engine/ports/control-port.js';
import { ONE_SHARD, type Topology } from '../engine/shards/topology.js';
import type { TaskRecord } from '../engine/task.js';
import { AnsweredTasks, type WaitingCalls } from './answered-tasks.js';
import { BlockedTasks } from './blocked-tasks.js';
import { childrenOf, type Child } from './children.js';
import type { RunWaits } from './run-waits.js';
import { TaskWatcher, type UntilFinalOptions } from './task-watcher.js';
import type { Observer } from './watched-task.js';
import { withProgress } from './workflow-progress.js';

/** All queries and commands for a stored task. Handles and the HTTP endpoint use this class. */
export class TaskResults {
  private readonly tasks: AnsweredTasks;
  private readonly watcher: TaskWatcher;
  private readonly blocked: BlockedTasks;

  constructor(
    private readonly engine: Engine,
    private readonly runWaits?: RunWaits,
    rateLimitOf: (queue: string) => RateLimit | undefined = () => undefined,
    topology: Topology = ONE_SHARD,
    waitingCalls?: WaitingCalls,
  ) {
    this.blocked = new BlockedTasks({ engine, rateLimitOf });
    this.tasks = new AnsweredTasks(engine, topology, waitingCalls);
    this.watcher = new TaskWatcher(this.tasks);
  }

  /**
   * @returns `undefined` for an id that is unknown, malformed, expired or of another application, without distinction
   */
  async find(id: string): Promise<TaskRecord | undefined> {
    return withProgress(await this.tasks.find(id), this.engine);
  }

  /** Adds to the record of a queued task what keeps it from starting. */
  withBlock(record: TaskRecord): Promise<TaskRecord> {
    return this.blocked.withBlock(record);
  }

  /** See {@link TaskWatcher.follow}. */
  follow(id: string, observer: Observer): () => void {
    return this.watcher.follow(id, observer);
  }

  /**
   * See {@link TaskWatcher.updates}.
   *
   * @throws SelfWaitError when a running task waits for a task that can never start
   */
  async *updates(id: string, signal?: AbortSignal): AsyncGenerator<TaskRecord, void, undefined> {
    const wait = this.runWaits?.begin(id);
    try {
      await wait?.checked;
      yield* this.watcher.updates(id, either(signal, wait?.signal));
    } finally {
      wait?.end();
    }
  }

  /**
   * See {@link TaskWatcher.untilFinal}.
   *
   * @throws SelfWaitError when a running task waits for a task that can never start
   */
  untilFinal(id: string, options?: UntilFinalOptions): Promise<TaskRecord | undefined> {
    const wait = this.runWaits?.begin(id);
    if (!wait) return this.watcher.untilFinal(id, options);
    const signal = either(options?.signal, wait.signal);
    return wait.checked.then(() => this.watcher.untilFinal(id, { ...options, signal })).finally(() => wait.end());
  }

  /** The members of a workflow, in order. */
  children(record: TaskRecord): Promise<Child[]> {
    return childrenOf(record, this.engine);
  }

  cancel(id: string, reason?: string): Promise<TaskRecord | undefined> {
    return this.tasks.cancel(id, reason);
  }

  async retry(id: string): Promise<TaskRecord | undefined> {
    return withProgress(await this.tasks.retry(id), this.engine);
  }

  forget(id: string): Promise<boolean> {
    return this.tasks.forget(id);
  }

  /** Rejects all callers that still wait, because the application closes. */
  close(): Promise<void> {
    return this.watcher.close();
  }
}

/** A signal that is aborted when one of both is. */
function either(one: AbortSignal | undefined, other: AbortSignal | undefined): AbortSignal | undefined {
  return one && other ? AbortSignal.any([one, other]) : (one ?? other);
}
