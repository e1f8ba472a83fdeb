import type { DeclaredCode } from '../declared-code.js';
import type { RateLimit } from './control-port.js';

/** A process that runs tasks, as all processes of the store see it. */
export interface WorkerRecord extends DeclaredCode {
  readonly id: string;
  readonly host: string;
  readonly pid: number;
  /** The version of this package. */
  readonly version: string;
  readonly startedAt: number;
  /** The last sign of life. Both times are those of the store's clock. */
  readonly seenAt: number;
  /** The queues that the process consumes. */
  readonly queues: readonly string[];
  /** The names of the tasks that the process declares in each queue. Absent in records of earlier versions. */
  readonly tasksOfQueues?: Readonly<Record<string, readonly string[]>> | undefined;
  /** How many tasks of each queue the process runs at once. */
  readonly concurrency: Readonly<Record<string, number>>;
  /** The most tasks of one run, for queues whose tasks run in batches. Absent when there is none, and in records of earlier versions. */
  readonly batchSizes?: Readonly<Record<string, number>> | undefined;
  /** The rate limits that the code of the process declares, by queue. Absent in records of earlier versions. */
  readonly rateLimits?: Readonly<Record<string, RateLimit>> | undefined;
  /** The shard of each queue of the application that is not in the default one. Absent when there is none. */
  readonly shardOfQueues?: Readonly<Record<string, string>> | undefined;
  /** What the process did at its last sign of life. Absent in records of earlier versions. */
  readonly load?: WorkerLoad | undefined;
}

/** What a process did at its last sign of life. */
export interface WorkerLoad {
  /** The tasks that run, those that have run for longest first: {@link MOST_RUNNING} at most. */
  readonly running: readonly { readonly id: string; readonly name: string; readonly since: number }[];
  /** How many tasks run. */
  readonly runningCount: number;
  /** By how many milliseconds timers were late since the sign of life before: the 99th percentile. */
  readonly eventLoopDelay: number;
  /** Resident memory in bytes. */
  readonly memory: number;
  /** The queues from which it takes no tasks although it should. Absent in records of earlier versions. */
  readonly silentQueues?: readonly string[] | undefined;
  /**
   * The time since which it has watched the ticks of schedules; earlier ones count as missed. Absent when it could not read the
   * schedules yet, and in records of earlier versions.
   */
  readonly schedulesSince?: number | undefined;
}

/** Tasks in the record of one worker. A record with all of thousands of tasks would be sent again every ten seconds. */
export const MOST_RUNNING = 50;

/** Milliseconds without a sign of life after which a worker counts as gone: three signs are missing. */
export const WORKER_LIFE = 35_000;
/** Milliseconds without an answer of the store after which a consumer counts as silent: several of its requests are missing. */
export const SILENCE_LIMIT = 30_000;
/** Milliseconds without a sign of life after which the record of a worker is deleted. */
export const WORKER_MEMORY = 10 * 60_000;

/**
 * The workers of a store. A worker publishes itself again and again, so that a worker whose process was killed, and that
 * could not withdraw, is known to be gone.
 *
 * Each method throws EngineUnavailableError when the engine does not answer in time.
 */
export interface WorkerRegistry {
  /** Stores a worker, or its new sign of life. `seenAt` is the time of this call. */
  publish(worker: Omit<WorkerRecord, 'seenAt'>): Promise<void>;
  /** The workers with a sign of life in the last ten minutes; {@link isAlive} tells which of them still run. */
  list(): Promise<WorkerRecord[]>;
  /** Removes a worker that stops, and what it was asked for. */
  withdraw(id: string): Promise<void>;
  /** Asks a worker to shut down. It finds the request soon, because of a message, or at its next sign of life. */
  requestShutdown(id: string, request: ShutdownRequest): Promise<void>;
  /** The request for this worker; `undefined` when there is none. */
  shutdownRequest(id: string): Promise<ShutdownRequest | undefined>;
  /** Calls `listener` when a message says that this worker was asked for something. The message may be lost. @returns stops it */
  follow(id: string, listener: () => void): () => void;
}

/** A request to shut a worker down, as after SIGTERM. */
export interface ShutdownRequest {
  readonly by: string;
  readonly reason: string | null;
  /** Milliseconds that running tasks may go on; `undefined`: as long as the worker's own option says. */
  readonly grace: number | undefined;
}

/** Whether a worker still runs. A sign of life from the future is not believed. @param now the time of the store's clock */
export function isAlive({ seenAt }: WorkerRecord, now: number): boolean {
  return Math.abs(now - seenAt) < WORKER_LIFE;
}

/** Whether the record of a worker is kept. */
export function isRemembered({ seenAt }: WorkerRecord, now: number): boolean {
  return Math.abs(now - seenAt) < WORKER_MEMORY;
}
