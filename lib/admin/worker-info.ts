import { isAlive, type WorkerRecord } from '../engine/ports/worker-registry.js';
import { isInternalQueue } from '../engine/task-id.js';

/** A process that runs tasks. Times are ISO 8601 text in UTC. */
export interface WorkerInfo {
  readonly id: string;
  readonly host: string;
  readonly pid: number;
  /** The version of this package. */
  readonly version: string;
  /** The name of the application; `null` when it has none. */
  readonly application: string | null;
  readonly startedAt: string;
  /** The last sign of life. A worker gives one every ten seconds. */
  readonly seenAt: string;
  /**
   * `lost`: the worker has given no sign of life for more than 35 seconds and did not stop in an orderly way, so its process was
   * killed, or cannot reach the engine. A lost worker is listed for ten minutes.
   */
  readonly state: 'alive' | 'lost';
  /** The queues from which it takes tasks. */
  readonly queues: readonly string[];
  /** The names of the tasks that it declares. */
  readonly tasks: readonly string[];
  /** How many tasks of each queue it runs at once. */
  readonly concurrency: Readonly<Record<string, number>>;
  /** The most tasks that one run of a queue takes, for queues whose tasks run in batches. */
  readonly batchSizes: Readonly<Record<string, number>>;
  /** The tasks that it ran at its last sign of life, those that had run for longest first: 50 at most. */
  readonly running: readonly { readonly id: string; readonly name: string; readonly since: string }[];
  /** How many tasks it ran at its last sign of life. */
  readonly runningCount: number;
  /**
   * By how many milliseconds its timers were late in the ten seconds before the last sign of life: the 99th percentile. `null` for
   * a worker of an earlier version.
   */
  readonly eventLoopDelay: number | null;
  /** Its resident memory in bytes; `null` for a worker of an earlier version. */
  readonly memory: number | null;
}

/** @param now the time of the store's clock */
export function toWorkerInfo(worker: WorkerRecord, now: number): WorkerInfo {
  const { id, host, pid, version, application, startedAt, seenAt, queues, tasks, concurrency, load } = worker;
  return {
    id,
    host,
    pid,
    version,
    application: application ?? null,
    startedAt: new Date(startedAt).toISOString(),
    seenAt: new Date(seenAt).toISOString(),
    state: isAlive(worker, now) ? 'alive' : 'lost',
    queues: queues.filter((queue) => !isInternalQueue(queue)),
    tasks,
    concurrency: Object.fromEntries(Object.entries(concurrency).filter(([queue]) => !isInternalQueue(queue))),
    batchSizes: worker.batchSizes ?? {},
    running: (load?.running ?? []).map((task) => ({ ...task, since: new Date(task.since).toISOString() })),
    runningCount: load?.runningCount ?? 0,
    eventLoopDelay: load?.eventLoopDelay ?? null,
    memory: load?.memory ?? null,
  };
}
