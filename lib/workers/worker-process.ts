/** What the command `worker` sets over the options of the application that it runs. */
export interface WorkerSettings {
  /** The queues whose tasks the process runs. Default: those of the application. */
  readonly queues?: readonly string[] | undefined;
  /** Where `queues` comes from, for messages. */
  readonly queuesFrom?: string | undefined;
  /** Tasks at once of each queue, in one process. Default: those of the application. */
  readonly concurrency?: number | undefined;
  /** Milliseconds. Default: `shutdown.grace` of the application. */
  readonly grace?: number | undefined;
  /** How many processes run the application. */
  readonly processes: number;
  /** The application that the command runs: that of the child processes for isolated tasks, too. */
  readonly application?: { readonly file: string; readonly exportName: string | undefined } | undefined;
}

/**
 * The token that injects the {@link WorkerSettings} in a process of the command `worker`; absent anywhere else. A symbol of the whole
 * process, because the command uses another build of this package than an application that is CommonJS.
 */
export const WORKER_SETTINGS = Symbol.for('nestjs-task-queue: worker settings');

/** The token that injects the {@link WorkerControl} of an application. */
export const WORKER_CONTROL = Symbol.for('nestjs-task-queue: worker control');

/** The token that injects the registry of prom-client that `TaskMetricsModule` has. */
export const METRICS_REGISTRY = Symbol.for('nestjs-task-queue: metrics registry');

/** What the command `worker` does with an application that it has started, and what it asks for. */
export interface WorkerControl {
  /** The queues that the application consumes. */
  queues(): readonly string[];
  /** Where the tasks are, without credentials. */
  readonly place: string;
  /** Milliseconds of {@link stop} without a limit of its own. */
  readonly grace: number;
  /** Whether the store can be opened by one process alone. */
  readonly isExclusive: boolean;
  /**
   * Why this process does its work badly now: the engine does not answer, or a queue is not consumed. `undefined` when all is well.
   * Answers within two seconds, and names no address.
   */
  problem(): Promise<string | undefined>;
  /** The number of tasks that run now. */
  running(): number;
  /** Calls `listener` before each attempt of a task, with the number of attempts so far. Attempts may start while the application boots. */
  onAttempt(listener: (attempts: number) => void): void;
  /** Takes no more tasks. See `TaskWorkers.stop()`. */
  stop(grace?: number): Promise<void>;
}
