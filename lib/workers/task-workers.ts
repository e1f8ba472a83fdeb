import type { Engine } from '../engine/engine.js';
import { ForeignWorkerWatch } from './foreign-worker-watch.js';
import { RemoteShutdown } from './remote-shutdown.js';
import type { RunWaitsOfProcess } from './run-waits-of-process.js';
import { StatisticsKeeper } from './statistics-keeper.js';
import type { TakenTask, WorkerPresence } from './worker-presence.js';
import type { Consumer, ConsumerOptions, DeliveryHandler, Places } from '../engine/ports/worker-port.js';
import { SILENCE_LIMIT } from '../engine/ports/worker-registry.js';
import { isInternalQueue } from '../engine/task-id.js';
import { listOf } from '../engine/running-tasks.js';
import { PackageLogger } from '../package-logger.js';

export interface TaskWorkersDeps {
  readonly engine: Engine;
  readonly handler: DeliveryHandler;
  readonly presence: WorkerPresence;
  /** The queues that this process runs. */
  readonly queues: () => ReadonlyMap<string, ConsumerOptions>;
  /** The names of the classes with BullMQ's `@Processor()` in this application, by queue. */
  readonly processors: () => ReadonlyMap<string, readonly string[]>;
  readonly runWaits: Pick<RunWaitsOfProcess, 'addQueue'>;
  /** Gives back the calls that wait for a batch. */
  readonly giveBackHeld: () => void;
  /** Ends the listeners to the changes that the workers stored last. */
  readonly stopListeners: () => Promise<void>;
  /** The child processes for isolated tasks; `undefined` where they run in this process. */
  readonly children?: ChildProcesses | undefined;
  /** Closes what a start that failed leaves open. */
  readonly abandonStart: () => Promise<void>;
  /** Milliseconds that running tasks may go on after the application begins to close. */
  readonly grace: number;
  /** Logs what this process runs. */
  readonly report: {
    onStarted(): void;
    onMoreStarted(queues: readonly string[]): void;
  };
}

/** The child processes for isolated tasks. */
export interface ChildProcesses {
  /** Resolves once tasks can run there. @throws ConfigurationError when they do not boot */
  start(): Promise<void>;
  /** The places of a queue whose tasks are all isolated; `undefined` for any other queue. */
  placesOf(queue: string): Places | undefined;
  stop(): Promise<void>;
}

/**
 * Starts the consumers of this process when the application is ready, and stops them before anything that tasks use
 * closes.
 */
export class TaskWorkers {
  private readonly logger = new PackageLogger();
  private readonly consumers = new Map<string, Consumer>();
  private readonly keeper: StatisticsKeeper;
  private readonly foreignWorkers: ForeignWorkerWatch;
  private isStarted = false;
  private isStopped = false;
  private stopping: Promise<void> | undefined;
  private readonly remoteShutdown = new RemoteShutdown({ stopWorkers: (grace) => this.stop(grace), process });

  constructor(private readonly deps: TaskWorkersDeps) {
    this.keeper = new StatisticsKeeper(deps);
    this.foreignWorkers = new ForeignWorkerWatch(deps);
  }

  /** @throws ConfigurationError when another attempt cannot help */
  async start(): Promise<void> {
    this.isStarted = true;
    try {
      await this.deps.children?.start();
      await this.consumeMissing();
    } catch (error) {
      // Nest calls no shutdown hook of an application that did not boot.
      await this.deps.abandonStart();
      throw error;
    }
    await this.deps.presence.start((request) => void this.remoteShutdown.begin(request), {
      running: () => this.running(),
      silentQueues: () => this.silentQueues(),
    });
    this.keeper.start();
    await this.foreignWorkers.start();
    this.deps.report.onStarted();
  }

  /** Consumes the queues of tasks that were registered after the start. */
  async startMore(): Promise<void> {
    if (!this.isStarted || this.isStopped) return;
    await this.deps.children?.start();
    const queues = await this.consumeMissing();
    if (queues.length > 0) this.deps.report.onMoreStarted(queues);
  }

  /**
   * Takes no more tasks, and waits for the running ones.
   *
   * @param grace milliseconds that running tasks may go on, `Infinity` for as long as they take; default: the option
   * `shutdown.grace`. The shortest of several calls counts
   */
  stop(grace = this.deps.grace): Promise<void> {
    if (this.stopping) for (const consumer of this.consumers.values()) void consumer.stop(grace);
    this.stopping ??= this.stopAll(grace);
    return this.stopping;
  }

  /** Whether the workers stop, or have stopped. */
  get isClosing(): boolean {
    return this.isStopped;
  }

  /** How many tasks of each queue of the application run in this process, and how many it runs at once. */
  places(): ReadonlyMap<string, { readonly running: number; readonly capacity: number }> {
    const queues = this.isStopped ? [] : [...this.deps.queues()].filter(([queue]) => !isInternalQueue(queue));
    return new Map(
      queues.map(([queue, { concurrency }]) => {
        const running = this.consumers.get(queue)?.running().length ?? 0;
        return [queue, { running, capacity: concurrency }];
      }),
    );
  }

  /** How long each queue that this process has to consume has been silent, see {@link Consumer.silentFor}. */
  silence(): ReadonlyMap<string, number> {
    const queues = this.isStopped ? this.consumers.keys() : this.deps.queues().keys();
    return new Map(Array.from(queues, (queue) => [queue, this.consumers.get(queue)?.silentFor() ?? Infinity]));
  }

  private async stopAll(grace: number): Promise<void> {
    this.isStopped = true;
    const consumers = [...this.consumers.values()];
    this.logWait(
      consumers.flatMap((consumer) => consumer.running()),
      grace,
    );
    const stopped = consumers.map((consumer) => consumer.stop(grace));
    // After the consumers have begun to stop, so that they take none of them again.
    this.deps.giveBackHeld();
    await Promise.all(stopped);
    await this.deps.children?.stop();
    await this.deps.stopListeners();
    await this.keeper.stop();
    await this.foreignWorkers.stop();
    await this.deps.presence.stop();
  }

  /** The tasks that run now, without those of this package itself. */
  running(): TakenTask[] {
    return [...this.consumers].flatMap(([queue, consumer]) => (isInternalQueue(queue) ? [] : consumer.running()));
  }

  private silentQueues(): string[] {
    return [...this.silence()].flatMap(([queue, silence]) => (silence > SILENCE_LIMIT ? [queue] : []));
  }

  /** @returns the queues that were not consumed before */
  private async consumeMissing(): Promise<string[]> {
    const { engine, handler, queues, presence, runWaits, children } = this.deps;
    const missing = [...queues()].filter(([queue]) => !this.consumers.has(queue));
    const added = missing.map(([queue, options]) => {
      const places = children?.placesOf(queue);
      const consumer = engine.consume(queue, { ...options, worker: presence.id, ...(places && { places }) }, handler);
      this.consumers.set(queue, consumer);
      runWaits.addQueue(queue, {
        places: options.concurrency / (options.batchSize ?? 1),
        holdsTasks: options.batchSize !== undefined,
        isConsumedElsewhere: () => presence.isConsumedElsewhere(queue),
        globalConcurrency: () => this.globalConcurrencyOf(queue),
      });
      return consumer;
    });
    await Promise.all(added.map(({ started }) => started));
    return missing.map(([queue]) => queue);
  }

  /** An administrator may have lowered the declared number for a while, and raise it again. */
  private async globalConcurrencyOf(queue: string): Promise<number | undefined> {
    const [settings] = await this.deps.engine.control.settings([queue]);
    const { declaredConcurrency = null, globalConcurrency } = settings ?? {};
    return declaredConcurrency === null ? undefined : Math.max(declaredConcurrency, globalConcurrency?.value ?? 0);
  }

  private logWait(running: readonly { readonly id: string; readonly name: string }[], grace: number): void {
    if (running.length === 0) return;
    const limit =
      grace === Infinity
        ? 'as long as they take'
        : `until ${new Date(Date.now() + grace).toISOString()} (${grace === this.deps.grace ? 'shutdown.grace' : 'grace of the request'}: ${grace} ms)`;
    this.logger.log(
      `Closing waits for ${running.length} running task${running.length > 1 ? 's' : ''} ${limit}: ${listOf(running)}.`,
    );
  }
}
