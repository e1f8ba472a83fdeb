import type { Engine } from '../engine/engine.js';
import { toWorkerInfo, type WorkerInfo } from './worker-info.js';

export interface TaskAdminDeps {
  readonly engine: Pick<Engine, 'workers' | 'now'>;
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
  /** @internal */
  constructor(private readonly deps: TaskAdminDeps) {}

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
}
