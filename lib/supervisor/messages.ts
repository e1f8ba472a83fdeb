import type { WorkerSettings } from '../workers/worker-process.js';

/** What the supervisor sends to a process. */
export type Order =
  /** The first message: boot the application, and take tasks. */
  | { readonly type: 'run'; readonly job: Job }
  /**
   * Take no more tasks, wait for the running ones up to `grace` milliseconds, close the application and exit. Absent: the grace of the
   * application; `null`: as long as the tasks take.
   */
  | { readonly type: 'stop'; readonly grace?: number | null }
  /** Answer with a {@link Report} of type `metrics`. */
  | { readonly type: 'metrics'; readonly id: number }
  /** Answer with a {@link Report} of type `health`. */
  | { readonly type: 'health'; readonly id: number };

/** What one process runs. */
export interface Job {
  /** The absolute path of the file that exports the module. */
  readonly file: string;
  /** The name of the export. Default: `AppModule`, or the only class. */
  readonly exportName: string | undefined;
  readonly settings: WorkerSettings;
  /** After so many attempts the process takes no more tasks. */
  readonly maxTasks: number | undefined;
  /** The id of the supervisor's process: without it, the process ends. */
  readonly supervisor: number;
}

/** What a process sends to the supervisor. */
export type Report =
  /** The application has booted, and takes tasks. */
  | ({ readonly type: 'ready' } & Application)
  /** The application did not boot. */
  | { readonly type: 'failed'; readonly reason: BootFailure }
  /** A sign of life. */
  | ({ readonly type: 'status' } & Status)
  /** A new process should boot, because this one has soon run as many tasks as it may. */
  | { readonly type: 'nearly-worn' }
  /** The process takes no more tasks, and ends once the running ones have ended. */
  | { readonly type: 'stopping'; readonly why: StopReason }
  /** All tasks have ended or are given back. What is left is to close the application. */
  | { readonly type: 'drained'; readonly figures: readonly MetricFigures[] }
  | { readonly type: 'metrics'; readonly id: number; readonly figures: readonly MetricFigures[] }
  /** `problem` is absent when the process takes tasks and the engine answers it. */
  | { readonly type: 'health'; readonly id: number; readonly problem?: string };

/** One metric of prom-client, as its registry gives it. */
export interface MetricFigures {
  readonly name: string;
  readonly type: string;
}

/** Why a process stops by itself, or because it was told to. */
export type StopReason = 'asked' | 'tasks' | 'signal';

/** An application that has booted. */
export interface Application {
  readonly queues: readonly string[];
  /** Where its tasks are, without credentials. */
  readonly place: string;
  /** Milliseconds that running tasks may go on. */
  readonly grace: number;
  /** Whether one process alone can open the store. */
  readonly isExclusive: boolean;
  /** Milliseconds from the start of the process to here. */
  readonly took: number;
}

export interface Status {
  /** Attempts that have started. */
  readonly attempts: number;
  /** Tasks that run now. */
  readonly running: number;
  /** Resident memory in bytes. */
  readonly memory: number;
}

/** Why an application did not boot. Passwords are masked. */
export interface BootFailure {
  readonly message: string;
  readonly stack: string | undefined;
  /** Another attempt gives the same: the configuration is wrong, or the module is not there. */
  readonly isLasting: boolean;
}
