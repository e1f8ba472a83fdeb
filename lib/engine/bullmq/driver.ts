import type { FlowProducer, Processor, Queue, QueueOptions, Worker, WorkerOptions } from 'bullmq';
import type { ListPosition, ListRequest, QueueFigures } from '../ports/list-port.js';
import type { Finding } from '../ports/diagnosis-port.js';
import type { ForeignWorker } from '../ports/foreign-workers-port.js';
import type { CallDeadline } from './call-deadline.js';
import type { Clock } from './clock.js';
import type { JobTransactions } from './job-transactions.js';
import type { JobEntry } from './jobs/job-data.js';
import type { MessageBus, PreparedMessage } from './message-bus.js';
import type { JobSuccess } from './jobs/job-success.js';
import type { FoundJob, JobRef, StoredJobs } from './stored-jobs.js';

/** The messages about ends that are sent with the statements or commands that store the ends. */
export interface EndMessages {
  /** Called in the turn of the event loop in which a command that stores one end is sent, before it. */
  ending(id: string): void;
  /** @param success what will be stored of the task; called only when there is a watcher */
  endMessages(id: string, success: () => JobSuccess): readonly PreparedMessage[];
  /** The statement failed. */
  endFailed(id: string): void;
}

/** BullMQ's options of a worker. */
export interface DriverWorkerOptions extends Omit<WorkerOptions, 'connection' | 'prefix'> {
  /** Whether the worker runs its jobs in batches, so that it takes as many as it has places for at once. */
  readonly runsBatches?: boolean;
}

/**
 * What differs between the databases that BullMQ runs on: connecting, looking a job up, storing many jobs, and sending
 * messages to other processes. `redis/` and `postgres/` implement it; `embedded/` puts PGlite under the PostgreSQL driver.
 */
export interface Driver {
  /** Where the store is, for log lines and errors, without credentials. */
  readonly address: string;
  readonly bus: MessageBus;
  /** How many jobs are stored together. They are stored in their order. */
  readonly batchLimits: StoreLimits;
  /** How many jobs are read or changed together. */
  readonly lookupLimits: BatchLimits;
  /** Whether the connection of each worker has its name on the server, where BullMQ's `getWorkers()` finds it. */
  readonly namesWorkers: boolean;
  /** Whether BullMQ removes the stacks of a job that a caller runs again. */
  readonly dropsStacks: boolean;
  /** Limits the time of each call. */
  readonly deadline: CallDeadline;
  /** The store's clock. Measured once the store can be reached, and again from time to time. */
  readonly clock: Clock;
  readonly jobs: StoredJobs;
  readonly logs: JobLogs;
  readonly metadata: QueueMetadata;
  readonly rateWindows: RateWindows;
  /** The lists of jobs. Call it only after {@link connect}. */
  readonly lists: JobLists;
  /**
   * Stores jobs in transactions of the application; `undefined` when the application cannot have a transaction in this store.
   * Call it only after {@link connect}.
   */
  readonly transactions: JobTransactions | undefined;
  /**
   * Resolves once the store can be used. Each call tries once.
   *
   * @returns nothing when the store can be used already: most calls then make no promise for it
   * @throws ConfigurationError when another attempt cannot help
   * @throws any other error while the store cannot be reached
   */
  connect(): Promise<void> | undefined;
  /** Asks the server for an answer, on a connection that commands use. */
  ping(): Promise<void>;
  /** Drops a connection on which the server does not answer, with the commands that were sent on it. */
  abandon(): void;
  /** A queue on the shared connection. Call it only after {@link connect}. */
  createQueue(name: string, options?: Omit<QueueOptions, 'connection' | 'prefix'>): Queue;
  /**
   * Stores jobs in their order, and calls `onStored` for each as soon as it is stored. A job whose id exists is left as it
   * is. Call it only with a queue that is ready.
   *
   * @returns the indexes of jobs that were not stored, because a transaction that has not ended has locked their keys
   */
  addJobs(queue: Queue, jobs: readonly JobEntry[], onStored: OnStored): Promise<readonly number[]>;
  /**
   * Tells that jobs are about to be stored in these queues by another way than {@link addJobs}, for
   * {@link JobLists.queueNames}. Costs no time of the caller.
   */
  useQueues(names: readonly string[]): void;
  /** Stores tasks with their members, on the shared connection. Call it only after {@link connect}. */
  createFlowProducer(): FlowProducer;
  /**
   * A worker that does not run yet, with a blocking connection of its own.
   *
   * @param ends a driver that can send a message with the end of a task asks it which watchers there are
   */
  createWorker(name: string, processor: Processor, options: DriverWorkerOptions, ends: EndMessages): Worker;
  /**
   * The workers of BullMQ that are connected and not of this package.
   *
   * @throws any error when the server lists no connections, or not to this process
   */
  foreignWorkers(queues: readonly string[]): Promise<ForeignWorker[]>;
  /** Checks the server and its settings. Changes nothing. */
  diagnose(): Promise<Finding[]>;
  /** Makes an idle worker of the queue ask for a job at once, unless the queue is paused or no job waits. */
  wake(queue: string): Promise<void>;
  /**
   * Whether an error means that the store cannot be reached, or serves this process no longer ({@link isForbidden}), so that another
   * attempt may help.
   */
  isOutage(error: unknown): boolean;
  /**
   * Whether the store answers and does not let this process do that: it lacks a right, or its password is no longer valid. Both are
   * changed while processes run, so such an error is an outage too.
   */
  isForbidden(error: unknown): boolean;
  /**
   * Whether an error is an answer of the store. An outage that is one ({@link isOutage}) is that of a store which was reached and takes no
   * such calls: it is read-only, full or busy, or a lock is kept for too long.
   */
  isAnswer(error: unknown): boolean;
  /** Calls `listener` when a connection breaks outside of any call. */
  onError(listener: (error: Error) => void): void;
  /** Closes what this driver opened. Safe to call twice, and when the server is gone. */
  close(): Promise<void>;
}

/** Called once for each job with its index and the id it is stored under: an earlier job's id for a duplicate. */
export type OnStored = (index: number, id: string) => void;

/** How many jobs one call to the store concerns, and how many such calls may be under way. */
export interface BatchLimits {
  readonly size: number;
  readonly atOnce: number;
}

/** How many jobs are stored together. */
export interface StoreLimits extends BatchLimits {
  /**
   * Characters of their data, which the last job may exceed: a call to the store has to end in its time, and neither the process nor
   * the server is to hold gigabytes.
   */
  readonly length: number;
}

/** The logs of jobs. */
export interface JobLogs {
  /**
   * Adds lines to the logs of jobs, in their order, and drops all but the last `keep` lines of each job. A line of a job that
   * is not stored is dropped.
   */
  add(lines: readonly LineOfJob[], keep: number): Promise<void>;
  /** The lines behind the first `after` lines that the job has ever had, at most `limit`. */
  read(job: JobRef, after: number, limit: number): Promise<JobLines>;
}

/** A line for the log of a job. */
export interface LineOfJob extends JobRef {
  readonly line: string;
}

/** A part of the log of a job. */
export interface JobLines {
  /** How many lines were dropped in front of those that are kept. */
  readonly dropped: number;
  readonly kept: number;
  readonly rows: readonly string[];
}

/** The metadata of queues. */
export interface QueueMetadata {
  /**
   * One page of the metadata of a queue, of about 1,000 fields. A field that is stored during the whole scan is in at least
   * one page.
   *
   * @param cursor `undefined` for the first page, then `next` of the page before
   */
  scan(queue: string, cursor: string | undefined): Promise<MetaPage>;
  /**
   * Replaces one text in the metadata of a queue if it is the expected one, in one step.
   *
   * @param fields what to read in that step: the field itself first
   * @returns the values after it. When the text was another one, its value may be a little older
   */
  replace(queue: string, change: MetaChange, fields: readonly string[]): Promise<(string | null)[]>;
}

/** `before` and `next` are empty for no text. */
export interface MetaChange {
  readonly field: string;
  readonly before: string;
  readonly next: string;
}

/** A page of metadata. `next` is `undefined` after the last page. */
export interface MetaPage {
  readonly fields: readonly (readonly [field: string, value: string])[];
  readonly next: string | undefined;
}

/** The windows of the rate limits of queues: the times in which BullMQ counts the jobs that are taken. */
export interface RateWindows {
  /** Gives back what a job used up of its queue's rate limit, because it was taken and did not run. */
  returnToken(queue: string, token: UnusedToken): Promise<void>;
  /** Lets the current window of the queue's rate limit end after `per` milliseconds, unless it ends earlier. */
  shorten(queue: string, per: number): Promise<void>;
  /**
   * Lets the current window of the queue's rate limit end after its whole length, unless it ends earlier: one that is longer began before
   * the clock was put back.
   *
   * @param declared the window that the worker declares; that of a stored limit takes precedence
   */
  limit(queue: string, declared: number | undefined): Promise<void>;
  /** Ends the current window of the queue's rate limit. */
  end(queue: string): Promise<void>;
}

/**
 * What a job used up of a rate limit, in milliseconds: the window of the limit that the worker declares, if it declares one, and
 * the time since the job was taken. A stored limit takes precedence.
 */
export interface UnusedToken {
  readonly window: number | undefined;
  readonly heldFor: number;
}

/** A job in a list. */
export interface ListedJob extends JobRef {
  /** `undefined` when only the list still has the job. */
  readonly found: FoundJob | undefined;
  /** The position behind this job. */
  readonly position: ListPosition;
  /** In a list that is ordered by time, the time by which it is; 0 in other lists. */
  readonly time: number;
}

/** A part of a list. */
export interface ListedJobs {
  readonly jobs: readonly ListedJob[];
  /** Whether further jobs that were asked for are left out, because these ones are large. There is at least one then. */
  readonly isCut: boolean;
}

/** The lists of jobs in a database. The methods mean what those of `ListPort` mean. */
export interface JobLists {
  queueNames(): Promise<string[]>;
  list(request: ListRequest): Promise<ListedJobs>;
  figures(queues: readonly string[]): Promise<QueueFigures[]>;
  countQueued(queue: string, most: number): Promise<number>;
}
