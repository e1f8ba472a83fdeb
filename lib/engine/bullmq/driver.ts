import type { FlowProducer, JobJson, JobState, Processor, Queue, QueueOptions, Worker, WorkerOptions } from 'bullmq';
import type { ListPosition, ListRequest, QueueFigures } from '../ports/list-port.js';
import type { Finding } from '../ports/diagnosis-port.js';
import type { ForeignWorker } from '../ports/foreign-workers-port.js';
import type { TransactionAdapter } from '../ports/transaction-port.js';
import type { Json } from '../json.js';
import type { Retention } from '../retention.js';
import type { TaskFailure, Uniqueness } from '../task.js';
import type { CallDeadline } from './call-deadline.js';
import type { Clock } from './clock.js';
import type { JobEntry } from './jobs/job-data.js';
import type { MessageBus, PreparedMessage } from './message-bus.js';
import type { JobSuccess } from './jobs/job-success.js';

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
   * Reads jobs in one round trip, whatever the length of their queues, and answers in their order. Each job is read in one
   * step, so its state and its fields belong to the same moment. A queue may be one that no process has ever used.
   */
  find(jobs: readonly JobRef[]): Promise<(FoundJob | undefined)[]>;
  /**
   * Stores the mark of a cancel in jobs that have not ended and have no mark, and promotes the delayed ones, so that a worker
   * ends them. A job is marked and read in one step, so its state is the one in which it was when it got the mark.
   *
   * @returns the jobs with their marks, in order
   */
  cancel(queue: Queue, cancels: readonly CancelOfJob[]): Promise<(FoundJob | undefined)[]>;
  /**
   * Notes in the mark of a cancelled job that has not ended that it has to run again after its end, or removes the note, in one step.
   *
   * @returns the job after it; `undefined` when there is none
   */
  runAgainAfterEnd(job: JobRef, again: boolean): Promise<FoundJob | undefined>;
  /**
   * Stores the mark of a failed member in a job that waits, in one step.
   *
   * @returns the job with its mark; `undefined` when a worker has it, it has ended or has a mark, or a caller has run it again
   */
  fail(job: JobRef, failure: FailureOfJob): Promise<FoundJob | undefined>;
  /**
   * Overwrites those parts of a stored job that keep BullMQ from ending or removing it. The parent of the job, if it has
   * one, still hears of its end. Needs nothing of the job but its id.
   *
   * @param reason why the job cannot be read
   */
  makeEndable(queue: string, id: string, reason: string): Promise<void>;
  /**
   * One page of the metadata of a queue, of about 1,000 fields. A field that is stored during the whole scan is in at least
   * one page.
   *
   * @param cursor `undefined` for the first page, then `next` of the page before
   */
  scanMeta(queue: string, cursor: string | undefined): Promise<MetaPage>;
  /**
   * Replaces one text in the metadata of a queue if it is the expected one, in one step.
   *
   * @param fields what to read in that step: the field itself first
   * @returns the values after it. When the text was another one, its value may be a little older
   */
  replaceMeta(queue: string, change: MetaChange, fields: readonly string[]): Promise<(string | null)[]>;
  /**
   * Makes a job hold its deduplication key, unless a job holds it.
   *
   * @returns the id of the job that holds the key now
   */
  holdKey(queue: string, key: string, id: string): Promise<string>;
  /**
   * Removes jobs that ended before a time, but for the members of workflows that are stored.
   *
   * @returns how many it removed, or looked at; when that is `atOnce`, there may be more
   */
  removeEnded(queue: string, jobs: EndedJobs): Promise<number>;
  /** Gives back what a job used up of its queue's rate limit, because it was taken and did not run. */
  returnToken(queue: string, token: UnusedToken): Promise<void>;
  /**
   * Adds lines to the logs of jobs, in their order, and drops all but the last `keep` lines of each job. A line of a job that
   * is not stored is dropped.
   */
  addLogLines(lines: readonly LineOfJob[], keep: number): Promise<void>;
  /** The lines behind the first `after` lines that the job has ever had, at most `limit`. */
  readLogLines(job: JobRef, after: number, limit: number): Promise<JobLines>;
  /**
   * The workers of BullMQ that are connected and not of this package.
   *
   * @throws any error when the server lists no connections, or not to this process
   */
  foreignWorkers(queues: readonly string[]): Promise<ForeignWorker[]>;
  /** Checks the server and its settings. Changes nothing. */
  diagnose(): Promise<Finding[]>;
  /**
   * Changes a job that waits, in one step: a worker that takes the job in that moment gets all of the change or nothing of it.
   *
   * @returns false when the job is not in the state that the change is for, or has the mark of a cancel
   */
  edit(queue: string, id: string, edit: JobEdit): Promise<boolean>;
  /** Makes an idle worker of the queue ask for a job at once, unless the queue is paused or no job waits. */
  wake(queue: string): Promise<void>;
  /** Lets the current window of the queue's rate limit end after `per` milliseconds, unless it ends earlier. */
  shortenRateWindow(queue: string, per: number): Promise<void>;
  /**
   * Lets the current window of the queue's rate limit end after its whole length, unless it ends earlier: one that is longer began before
   * the clock was put back.
   *
   * @param declared the window that the worker declares; that of a stored limit takes precedence
   */
  limitRateWindow(queue: string, declared: number | undefined): Promise<void>;
  /** Ends the current window of the queue's rate limit. */
  endRateWindow(queue: string): Promise<void>;
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

/** Where a job is stored. */
export interface JobRef {
  readonly queue: string;
  readonly id: string;
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

/** A request to cancel a job. */
export interface CancelOfJob {
  readonly id: string;
  readonly at: number;
  readonly reason?: string;
  /** Tells this request apart from others. */
  readonly by?: string;
}

/** The failure of a job that waits for its members. */
export interface FailureOfJob {
  readonly at: number;
  readonly failure: TaskFailure;
  /** How often a caller had run the job again when the member failed. */
  readonly reruns: number;
}

/** A change of a job. */
export interface JobEdit {
  /** `unstarted`: a job that waits or is delayed, and whose method was not called. `delayed`: a delayed job, which comes first then. */
  readonly only: 'unstarted' | 'delayed';
  readonly now: number;
  readonly args?: readonly Json[];
  /** The time at which the job is due. A job that is due waits in its queue. */
  readonly startAt?: number;
  /** BullMQ's number, lower first. */
  readonly priority?: number;
}

/** A job as it was at one moment. */
export interface FoundJob {
  readonly json: JobJson;
  readonly state: JobState;
}

/** Jobs that ended before a time, the first ones first. */
export interface EndedJobs {
  readonly state: 'completed' | 'failed';
  readonly before: number;
  readonly atOnce: number;
}

/**
 * What a job used up of a rate limit, in milliseconds: the window of the limit that the worker declares, if it declares one, and
 * the time since the job was taken. A stored limit takes precedence.
 */
export interface UnusedToken {
  readonly window: number | undefined;
  readonly heldFor: number;
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

/** A job in a list. */
export interface ListedJob extends JobRef {
  /** `undefined` when only the list still has the job. */
  readonly found: FoundJob | undefined;
  /** The position behind this job. */
  readonly position: ListPosition;
  /** In a list that is ordered by time, the time by which it is; 0 in other lists. */
  readonly time: number;
}

/** A job that is stored in a transaction of the application. */
export interface JobOfTransaction extends JobRef {
  readonly name: string;
  /** JSON. */
  readonly data: string;
  readonly opts: object;
  /** BullMQ's number; 0 for none. */
  readonly priority: number;
  readonly delay: number;
  readonly attempts: number;
  /** How many jobs it waits for, which are stored with it. */
  readonly children: number;
  readonly parentQueue?: string;
  readonly parentId?: string;
  readonly parentKey?: string;
  /** The deduplication key, and how long its holder stands for later jobs. */
  readonly dedupId?: string;
  readonly while?: Uniqueness['while'];
  /** Milliseconds after which the key is free again. */
  readonly keyTtl?: number;
  /** The idempotency key: the holder must have the same arguments. */
  readonly exactKey?: string;
}

/** What came of storing jobs in a transaction: all of them, or none. */
export type StoredInTransaction =
  | { readonly conflict: { readonly key: string; readonly holder: string } }
  | {
      /** For each job the id that stands for it. */
      readonly ids: readonly string[];
      /** The jobs that were stored before and stand for others, by id. */
      readonly earlier: ReadonlyMap<string, FoundJob>;
      /** The name of the transaction, for {@link JobTransactions.isOpen}. */
      readonly transaction: string;
    };

/** Storing jobs in transactions of the application. */
export interface JobTransactions {
  /**
   * Stores jobs in one statement on the connection of the transaction.
   *
   * @param options.secret the secret of this store: in another store, nothing is stored
   * @throws ConfigurationError when the transaction is one of another store
   * @throws EngineUnavailableError when another transaction keeps a key for longer than `options.timeout`
   * @throws the error of the transaction's library
   */
  store(
    transaction: TransactionAdapter,
    jobs: readonly JobOfTransaction[],
    options: StoreOptions,
  ): Promise<StoredInTransaction>;
  /** Whether a transaction has not ended, on a connection of this driver. */
  isOpen(transaction: string): Promise<boolean>;
  /** A notice for {@link StoreOptions}; `undefined` when this process cannot listen. The first one opens a connection. */
  createNotice(): Promise<CommitNotice | undefined>;
  /** Storing the successes of tasks in their own transactions. */
  readonly completions: JobCompletions;
}

export interface StoreOptions {
  readonly now: number;
  readonly timeout: number;
  readonly secret: string;
  readonly retention: Retention;
  /** Sent by the transaction, and delivered to this process after its commit. */
  readonly notice?: CommitNotice | undefined;
}

/** Tells this process of the commit of one transaction, or of nothing when it is rolled back. */
export interface CommitNotice {
  /** The channel of the database on which the transaction notifies. */
  readonly channel: string;
  readonly token: string;
  /** Calls the listener once, after the commit. It may never be called: a message of the database may be lost. */
  onCommit(listener: () => void): void;
  /** The transaction has stored nothing. */
  cancel(): void;
}

/** The success of a job that runs. */
export interface CompletionRequest extends JobRef {
  /** The token of the lock under which the job runs. */
  readonly token: string;
  readonly result: Json;
  readonly secret: string;
  /** Milliseconds for which the statement waits for another attempt's transaction. */
  readonly timeout: number;
  /** Milliseconds after which the transaction is refused at its commit. */
  readonly abandonedAfter: number;
}

/**
 * The transaction in which a success was stored, or why it was not. `lost`: the attempt has ended; `done`: a success is stored already;
 * `busy`: another attempt has one in a transaction that is open.
 */
export type Completed = { readonly transaction: string } | { readonly refused: 'lost' | 'done' | 'busy' };

/** Storing the successes of tasks in their own transactions. */
export interface JobCompletions {
  /**
   * Stores the success of a job in a transaction, in one statement.
   *
   * @throws ConfigurationError when the transaction is one of another store
   * @throws the error of the transaction's library
   */
  complete(transaction: TransactionAdapter, request: CompletionRequest): Promise<Completed>;
  /** Whether one of the transactions has not ended. */
  isOpen(transactions: readonly string[]): Promise<boolean>;
  /** The success of a job that is committed. */
  find(job: JobRef): Promise<{ readonly result: Json } | undefined>;
  /** Removes the success of a job, once its end is stored. */
  forget(job: JobRef): Promise<void>;
}

/** The lists of jobs in a database. The methods mean what those of `ListPort` mean. */
export interface JobLists {
  queueNames(): Promise<string[]>;
  list(request: ListRequest): Promise<ListedJob[]>;
  figures(queues: readonly string[]): Promise<QueueFigures[]>;
  countQueued(queue: string, most: number): Promise<number>;
}
