import type { Engine } from '../engine/engine.js';
import { TaskLogReader, type FollowLogOptions, type LogOptions, type TaskLogLine } from './task-log-reader.js';
import { toWorkerInfo, type WorkerInfo } from './worker-info.js';

export interface TaskAdminDeps {
  readonly engine: Pick<Engine, 'workers' | 'now' | 'find' | 'readLog'>;
}

/**
 * Shows and controls everything that is stored: queues, tasks and workers of all processes that share the store. For pages and
 * commands of administrators; callers of a single task use its handle.
 *
 * Inject it anywhere. Every method works the same on every engine, and throws `EngineUnavailableError` when the engine cannot be
 * reached.
 *
 * @example
 * ```ts
 * constructor(private readonly admin: TaskAdmin) {}
 *
 * async findLostWorkers(): Promise<WorkerInfo[]> {
 *   return (await this.admin.workers()).filter(({ state }) => state === 'lost');
 * }
 * ```
 */
export class TaskAdmin {
  readonly #logs: TaskLogReader;

  /** @internal */
  constructor(private readonly deps: TaskAdminDeps) {
    this.#logs = new TaskLogReader(deps.engine);
  }

  /**
   * The processes that run tasks, the oldest first: those that are alive, and those that were lost in the last ten minutes.
   *
   * @throws EngineUnavailableError
   */
  async workers(): Promise<WorkerInfo[]> {
    const { engine } = this.deps;
    const workers = await engine.workers.list();
    const now = engine.now();
    return workers.toSorted((a, b) => a.startedAt - b.startedAt).map((worker) => toWorkerInfo(worker, now));
  }

  /**
   * The lines that a task wrote with `TaskContext.log()`, in all its attempts, oldest first. The engine keeps the last 1,000 lines
   * of a task, or as many as the option `logs.keep` says.
   *
   * @throws TaskNotFoundError when there is no such task, or its time to live is over
   * @throws InvalidArgumentsError when `after` or `limit` is not a number in its range
   * @throws EngineUnavailableError
   * @example const [first] = await this.admin.logs(id, { limit: 1 });
   */
  async logs(id: string, options: LogOptions = {}): Promise<TaskLogLine[]> {
    return this.#logs.read(id, options);
  }

  /**
   * The lines of a task's log as they come, after those that are stored already. A new line comes within a second. The iteration
   * ends when the task is final, when it is removed, or when `signal` is aborted.
   *
   * @throws TaskNotFoundError with the first line, when there is no such task
   * @throws InvalidArgumentsError when `after` is not a number
   * @throws EngineUnavailableError
   * @example for await (const { at, level, text } of this.admin.followLogs(id)) console.log(at, level, text);
   */
  followLogs(id: string, options: FollowLogOptions = {}): AsyncIterable<TaskLogLine> {
    return this.#logs.follow(id, options);
  }
}
