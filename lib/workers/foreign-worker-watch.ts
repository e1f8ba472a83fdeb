import { endsWithin } from '../concurrency.js';
import type { Engine } from '../engine/engine.js';
import { foreignWorkerWarning } from '../engine/foreign-workers.js';
import { isInternalQueue } from '../engine/task-id.js';
import { PackageLogger } from '../package-logger.js';
import type { WorkerPresence } from './worker-presence.js';

/** Milliseconds between two checks of the connections of the server. */
const INTERVAL = 10_000;
/** Milliseconds for which the start of the application waits for the first one. */
const PATIENCE = 1_000;

export interface ForeignWorkerWatchDeps {
  readonly engine: Pick<Engine, 'foreignWorkers'>;
  readonly presence: Pick<WorkerPresence, 'own' | 'oldestOf'>;
  /** The names of the classes with `@Processor()` in this application, by queue. */
  readonly processors: () => ReadonlyMap<string, readonly string[]>;
}

/**
 * Warns when a worker of BullMQ takes from a queue that this process consumes. Each process checks at its start and once more, because
 * another worker of the same process may still connect then. From then on only the oldest worker of a queue checks, so the cost does
 * not grow with the number of processes.
 */
export class ForeignWorkerWatch {
  private readonly logger = new PackageLogger();
  private timer: NodeJS.Timeout | undefined;
  private checks = 0;
  private checking: Promise<void> | undefined;
  /** The queues about which this process has warned, until the other worker is gone. */
  private warned: ReadonlySet<string> = new Set();

  constructor(private readonly deps: ForeignWorkerWatchDeps) {}

  /** Waits only shortly for the engine. */
  async start(): Promise<void> {
    this.timer ??= setInterval(() => void this.check(), INTERVAL).unref();
    await endsWithin(this.check(), PATIENCE);
  }

  /** Waits for the check that is under way. */
  async stop(): Promise<void> {
    clearInterval(this.timer);
    if (this.checking) await endsWithin(this.checking, PATIENCE);
  }

  private check(): Promise<void> {
    this.checking ??= this.warn()
      // The engine logs by itself that it cannot be reached. A server that does not list its connections is no fault.
      .catch(() => undefined)
      .finally(() => (this.checking = undefined));
    return this.checking;
  }

  private async warn(): Promise<void> {
    const { engine, presence, processors } = this.deps;
    const own = presence.own();
    const queues = own.queues.filter((queue) => !isInternalQueue(queue));
    const isEarly = this.checks++ < 2;
    const watched = isEarly ? queues : await presence.oldestOf(queues);
    if (watched.length === 0) return;
    const found = new Map((await engine.foreignWorkers(watched)).toReversed().map((worker) => [worker.queue, worker]));
    for (const [queue, foreign] of found) {
      if (!this.warned.has(queue)) this.logger.warn(foreignWorkerWarning(own, foreign, processors().get(queue)));
    }
    this.warned = new Set(found.keys());
  }
}
