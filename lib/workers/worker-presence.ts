import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { endsWithin } from '../concurrency.js';
import type { DeclaredCode } from '../engine/declared-code.js';
import type { Engine } from '../engine/engine.js';
import type { ConsumerOptions } from '../engine/ports/worker-port.js';
import {
  isAlive,
  MOST_RUNNING,
  type ShutdownRequest,
  type WorkerLoad,
  type WorkerRecord,
} from '../engine/ports/worker-registry.js';
import { DEFAULT_SHARD, ONE_SHARD, type Topology } from '../engine/shards/topology.js';
import { isInternalQueue } from '../engine/task-id.js';
import { ProcessLoad } from './process-load.js';
import { sharedQueueWarnings } from './shared-queues.js';
import { PackageLogger } from '../package-logger.js';

/** Milliseconds between two signs of life: several in the time after which a worker counts as gone. */
const INTERVAL = 10_000;
/** Milliseconds for which the start and the end of the application wait for the engine. */
const PATIENCE = 1_000;
/** Milliseconds for which the list of the other workers is not read again. */
const FRESH_FOR = 2_000;

export interface WorkerPresenceDeps {
  readonly engine: Pick<Engine, 'workers' | 'now'>;
  readonly code: () => DeclaredCode;
  /** The queues that this process consumes; none in a process that runs no tasks. */
  readonly queues: () => ReadonlyMap<string, ConsumerOptions>;
  /** The names of the tasks that it declares, by their queues. */
  readonly tasksOfQueues: () => Readonly<Record<string, readonly string[]>>;
  /** The time since which it watches the ticks of schedules; `undefined` while it does not. */
  readonly schedulesSince: () => number | undefined;
  /** The version of this package. */
  readonly version: string;
  readonly topology?: Topology;
}

/** What this process runs. */
export interface OwnWork {
  readonly running: () => readonly TakenTask[];
  /** The queues from which it takes no tasks although it should. */
  readonly silentQueues: () => readonly string[];
}

/** A task that runs in this process. */
export interface TakenTask {
  readonly id: string;
  readonly name: string;
  /** By `performance.now()`. */
  readonly takenAt: number;
}

/** Publishes this process as a worker, with the tasks that it declares, and knows the other workers. */
export class WorkerPresence {
  private readonly logger = new PackageLogger();
  /** The id of this process in the registry of workers. */
  readonly id = randomUUID();
  private startedAt = 0;
  private readonly load = new ProcessLoad();
  private work: OwnWork = { running: () => [], silentQueues: () => [] };
  /** Whether the last sign of life was stored. */
  private isPublished = false;
  private timer: NodeJS.Timeout | undefined;
  private stopFollowing: () => void = ignore;
  private reading: { readonly at: number; readonly others: Promise<WorkerRecord[]> } | undefined;

  constructor(private readonly deps: WorkerPresenceDeps) {}

  /** Publishes this process, before it brings schedules in line or takes tasks. Waits only shortly for the engine. */
  async announce(): Promise<void> {
    this.startedAt = this.deps.engine.now();
    await this.refresh();
  }

  /** Publishes what this process declares now. */
  async refresh(): Promise<void> {
    if (this.isWorker) await endsWithin(this.publish(), PATIENCE);
  }

  /**
   * Repeats the sign of life, and warns of other applications on the same queues.
   *
   * @param onShutdown called when an administrator asks this process to shut down
   * @param work gives what this process runs
   */
  async start(onShutdown: (request: ShutdownRequest) => void = ignore, work?: OwnWork): Promise<void> {
    if (!this.isWorker) return;
    if (work) this.work = work;
    this.load.start();
    const check = () => void this.checkShutdown(onShutdown);
    this.stopFollowing = this.deps.engine.workers.follow(this.id, check);
    this.timer = setInterval(() => void this.publish().then(check), INTERVAL).unref();
    await endsWithin(this.warnOfSharedQueues(), PATIENCE);
  }

  /** Withdraws this process. Safe to call twice, and when the engine cannot be reached. */
  async stop(): Promise<void> {
    clearInterval(this.timer);
    this.stopFollowing();
    this.stopFollowing = ignore;
    this.load.stop();
    if (!this.isPublished) return;
    this.isPublished = false;
    await endsWithin(this.deps.engine.workers.withdraw(this.id).catch(ignore), PATIENCE);
  }

  /**
   * The other workers that run now.
   *
   * @throws EngineUnavailableError
   */
  others(): Promise<WorkerRecord[]> {
    const now = performance.now();
    if (!this.reading || now - this.reading.at > FRESH_FOR) {
      const others = this.read();
      this.reading = { at: now, others };
      others.catch(() => (this.reading = undefined));
    }
    return this.reading.others;
  }

  /** Whether another worker of the queue declares the task. Yes, when the engine cannot answer: it is asked again later. */
  async isDeclaredElsewhere(queue: string, task: string): Promise<boolean> {
    try {
      const others = await this.others();
      return others.some(({ queues, tasks }) => queues.includes(queue) && tasks.includes(task));
    } catch {
      return true;
    }
  }

  /** Whether another worker takes tasks from the queue. Yes, when the engine cannot answer. */
  async isConsumedElsewhere(queue: string): Promise<boolean> {
    const others = await this.others().catch(() => undefined);
    return others === undefined || others.some(({ queues }) => queues.includes(queue));
  }

  /**
   * Whether this process is a worker and no other one has been running for longer.
   *
   * @throws EngineUnavailableError
   */
  async isOldest(): Promise<boolean> {
    if (!this.isPublished) return false;
    const others = await this.others();
    return others.every((other) => this.isOlderThan(other));
  }

  /** Those of these queues that no other worker has been consuming for longer. @throws EngineUnavailableError */
  async oldestOf(queues: readonly string[]): Promise<string[]> {
    if (!this.isPublished) return [];
    const older = (await this.others()).filter((other) => !this.isOlderThan(other));
    return queues.filter((queue) => !older.some((other) => other.queues.includes(queue)));
  }

  /** What this process is and declares. */
  own(): Omit<WorkerRecord, 'seenAt' | 'load'> {
    const queues = this.deps.queues();
    return {
      id: this.id,
      host: hostname(),
      pid: process.pid,
      version: this.deps.version,
      startedAt: this.startedAt,
      queues: [...queues.keys()],
      tasksOfQueues: this.deps.tasksOfQueues(),
      concurrency: Object.fromEntries(Array.from(queues, ([name, { concurrency }]) => [name, concurrency])),
      rateLimits: Object.fromEntries(
        Array.from(queues).flatMap(([name, { rateLimit }]) => (rateLimit ? [[name, rateLimit]] : [])),
      ),
      ...batchSizesOf(queues),
      ...shardsOf(this.deps.topology),
      ...this.deps.code(),
    };
  }

  private isOlderThan({ id, startedAt }: WorkerRecord): boolean {
    return startedAt > this.startedAt || (startedAt === this.startedAt && id > this.id);
  }

  private get isWorker(): boolean {
    return this.deps.queues().size > 0;
  }

  private async read(): Promise<WorkerRecord[]> {
    const { engine } = this.deps;
    const workers = await engine.workers.list();
    return workers.filter((worker) => worker.id !== this.id && isAlive(worker, engine.now()));
  }

  /** The engine itself logs that it cannot be reached. */
  private async publish(): Promise<void> {
    await this.deps.engine.workers.publish({ ...this.own(), load: this.currentLoad() }).then(
      () => (this.isPublished = true),
      () => (this.isPublished = false),
    );
  }

  /** A message is only a hint, and it may be lost: the request in the store counts. */
  private async checkShutdown(onShutdown: (request: ShutdownRequest) => void): Promise<void> {
    const request = await this.deps.engine.workers.shutdownRequest(this.id).catch(ignore);
    if (request) onShutdown(request);
  }

  private async warnOfSharedQueues(): Promise<void> {
    const others = await this.others().catch(() => []);
    for (const warning of sharedQueueWarnings(this.own(), others)) this.logger.warn(warning);
  }

  private currentLoad(): WorkerLoad {
    const running = this.work.running().toSorted((one, other) => one.takenAt - other.takenAt);
    // Times in the store are those of the store's clock.
    const offset = this.deps.engine.now() - performance.now();
    return {
      running: running.slice(0, MOST_RUNNING).map(({ id, name, takenAt }) => ({ id, name, since: takenAt + offset })),
      runningCount: running.length,
      ...this.load.take(),
      silentQueues: this.work.silentQueues(),
      schedulesSince: this.deps.schedulesSince(),
    };
  }
}

function batchSizesOf(queues: ReadonlyMap<string, ConsumerOptions>): Pick<WorkerRecord, 'batchSizes'> {
  const sizes = [...queues].flatMap(([name, { batchSize }]) => (batchSize === undefined ? [] : [[name, batchSize]]));
  return sizes.length > 0 ? { batchSizes: Object.fromEntries(sizes) as Record<string, number> } : {};
}

/** The shards of queues, for programs that do not know the options of the application. */
function shardsOf({ shards, queuesOf }: Topology = ONE_SHARD): Pick<WorkerRecord, 'shardOfQueues'> {
  const queues = shards
    .filter((shard) => shard !== DEFAULT_SHARD)
    .flatMap((shard) => queuesOf(shard).map((queue) => [queue, shard] as const))
    .filter(([queue]) => !isInternalQueue(queue));
  return queues.length > 0 ? { shardOfQueues: Object.fromEntries(queues) } : {};
}

function ignore(): void {}
