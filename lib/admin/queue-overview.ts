import type { Engine } from '../engine/engine.js';
import { isAlive, type WorkerRecord } from '../engine/ports/worker-registry.js';
import type { QueueFigures } from '../engine/ports/list-port.js';
import type { TaskLists } from './task-lists.js';

/** A queue, as `TaskAdmin.queues()` shows it. Times are ISO 8601 text in UTC. */
export interface QueueInfo {
  readonly name: string;
  /** No worker takes tasks from the queue. */
  readonly paused: boolean;
  /** The number of stored tasks. */
  readonly counts: QueueCounts;
  /** The time since when the first task of the queue could start; `null` when no task is queued. */
  readonly oldestQueuedAt: string | null;
  /** The number of live workers that take tasks from the queue. */
  readonly workers: number;
  /** The names of the tasks that these workers declare for the queue. */
  readonly tasks: readonly string[];
}

/** The number of tasks in each list of a queue, exactly. */
export interface QueueCounts {
  /** Tasks that a worker may take now, also for another attempt; and cancelled ones that no worker has cleared away yet. */
  readonly queued: number;
  /** Tasks whose time has not come, or the time of their next attempt. */
  readonly scheduled: number;
  /** Tasks that wait for the members of their workflow. */
  readonly waiting: number;
  readonly running: number;
  readonly succeeded: number;
  /** Tasks that failed, were cancelled or expired. */
  readonly failed: number;
}

/** Puts together what is known of each queue. */
export class QueueOverview {
  constructor(
    private readonly deps: { readonly engine: Pick<Engine, 'lists' | 'workers' | 'now'>; readonly lists: TaskLists },
  ) {}

  /** @throws EngineUnavailableError */
  async queues(): Promise<QueueInfo[]> {
    const { engine, lists } = this.deps;
    const workers = await engine.workers.list();
    const names = await lists.queueNames(workers);
    const figures = names.length > 0 ? await engine.lists.figures(names) : [];
    const now = engine.now();
    const alive = workers.filter((worker) => isAlive(worker, now));
    return names.map((name, index) => toQueueInfo(name, figures[index] as QueueFigures, alive));
  }
}

function toQueueInfo(
  name: string,
  { isPaused, sizes, queuedSince }: QueueFigures,
  alive: readonly WorkerRecord[],
): QueueInfo {
  const { queued, delayed: scheduled, waiting, running, succeeded, failed } = sizes;
  const workers = alive.filter(({ queues }) => queues.includes(name));
  // A worker of an earlier version does not tell the queues of its tasks.
  const tasks = new Set(
    workers.flatMap((worker) => (worker.tasksOfQueues ? (worker.tasksOfQueues[name] ?? []) : worker.tasks)),
  );
  return {
    name,
    paused: isPaused,
    counts: { queued, scheduled, waiting, running, succeeded, failed },
    oldestQueuedAt: queuedSince === null ? null : new Date(queuedSince).toISOString(),
    workers: workers.length,
    tasks: [...tasks].toSorted((one, other) => (one < other ? -1 : 1)),
  };
}
