import type { Interruption } from '../interruption.js';
import type { Json } from '../json.js';
import type { LogLevel } from '../log-line.js';
import type { CallOptions, FailedResult, Headers, MemberResult, TaskFailure, TaskTree } from '../task.js';
import type { WorkflowNote } from '../workflow-note.js';
import type { TransactionAdapter } from './transaction-port.js';

/** One attempt of a task, as a worker gets it. */
export interface Delivery {
  readonly id: string;
  readonly name: string;
  readonly queue: string;
  /** `undefined` when the stored job does not have the form `{ args: [...], headers: {...} }`. */
  readonly args: readonly Json[] | undefined;
  /** The place of the item whose arguments these are, when the task runs its method for a list of items. No engine sets it. */
  readonly item?: number;
  /** All data of the stored job, when it does not have both `args` and `headers`: another producer may have stored it. */
  readonly data?: Json;
  readonly headers: Headers;
  readonly options: CallOptions;
  /** 1 for the first. */
  readonly attempt: number;
  /**
   * How often a worker took the task, this time included: more than `attempt` when it was postponed or abandoned. A worker
   * that did not call the method does not count: it looked whether members or a delay are over, or gave the task back.
   */
  readonly starts: number;
  /** How often a worker gave the task back without having called its method, or the method put the task off. */
  readonly returns: number;
  /** How often a process that ran the task died or lost its lock on it, since a caller ran it again. */
  readonly abandoned: number;
  /** How often a caller ran the task again after its end. */
  readonly reruns: number;
  readonly enqueuedAt: number;
  /** See {@link TaskTree.note}. */
  readonly note?: WorkflowNote;
  /** The root of the workflow; the task's own id outside of workflows. */
  readonly root: string;
  /** How many members the task has. */
  readonly memberCount: number;
  /** The results of the members so far, in order. */
  members(): Promise<readonly MemberResult[]>;
  /**
   * The first of the first `count` members that failed, with its place. Finding it takes a step or two, however many
   * members there are; a member that is no longer stored is found by {@link members} alone.
   */
  failedMember(count: number): Promise<FailedMemberResult | undefined>;
  /** Tells the engine that the method of the task is about to be called. */
  started(): void;
  /**
   * Notes a text about this attempt: an instrumentation's own, such as the place of the attempt in a trace. The engine stores it
   * together with the end of the attempt, if that is a failure or a retry.
   */
  mark(text: string): void;
  /** The {@link mark} of the attempt before, as far as the engine stored it. */
  markBefore(): string | undefined;
  /** Requested when the task is cancelled, the application closes, or another worker took the task over. */
  readonly interruption: Interruption;
  progress(value: Json): Promise<void>;
  /** Adds a line to the log of the task. */
  log(text: string, level: LogLevel): Promise<void>;
  /** Stores the success of the task in a transaction; absent where the tasks are in no database of the application. */
  readonly completion?: Completion;
}

/** Storing the success of a task in the transaction of its own writes. */
export interface Completion {
  /** The success that an earlier attempt has committed, whose worker died before it could store the end. */
  readonly earlier?: CompletedTask | undefined;
  /** Whether this attempt has stored a success, in a transaction that may have ended in either way. */
  readonly isUsed: boolean;
  /**
   * Stores the success. It counts once the transaction has committed.
   *
   * @throws ConfigurationError when the transaction is one of another store
   * @throws WorkerLostError when this attempt has ended, or another has stored a success
   */
  completeIn(transaction: TransactionAdapter, result: Json | undefined): Promise<void>;
  /** Waits until the transactions so far have ended. @returns the success, if it was committed */
  settle(): Promise<CompletedTask | undefined>;
}

export interface CompletedTask {
  readonly result: Json | undefined;
}

/** A member that failed, and the ids of those that have not ended. */
export interface FailedMemberResult {
  readonly place: number;
  readonly member: FailedResult;
  readonly unfinished: readonly string[];
}

/** How an attempt ended. */
export type Outcome =
  | { readonly kind: 'succeeded'; readonly result: Json | undefined }
  /** Final: no attempt is left, or none would help. */
  | { readonly kind: 'failed'; readonly failure: TaskFailure }
  /** The task runs again after `delay`, and the attempt counts. */
  | { readonly kind: 'retry'; readonly failure: TaskFailure; readonly delay: number }
  /**
   * The task runs again after `delay`, and the attempt does not count. Other queues call it a snooze.
   *
   * - `asked`: the method asked for it.
   * - `note`: replaces the note of the task.
   */
  | { readonly kind: 'postponed'; readonly delay: number; readonly asked?: true; readonly note?: WorkflowNote }
  /**
   * The task runs again once its members ended, and the attempt does not count. `members` are added to those it has. The
   * engine stores the note before the members, so that a process may die in between: the next run gives the same outcome.
   */
  | { readonly kind: 'waiting'; readonly members: readonly TaskTree[]; readonly note: WorkflowNote };

/**
 * Runs one delivery. The chain of a run: the engine's consumer calls `WorkflowRunner` (workflows/), which calls
 * `TaskExecutor` (workers/), which calls the task's method.
 *
 * @typeParam O the outcomes this handler gives; a handler inside the chain may give more than the engine understands
 */
export interface DeliveryHandler<O = Outcome> {
  /** Never rejects because of the task: a task that throws is an outcome. */
  handle(delivery: Delivery): Promise<O>;
}

/** How one queue is consumed. */
export interface ConsumerOptions {
  /** The id of this process in the registry of workers: the attempts of tasks name it. Default: they name none. */
  readonly worker?: string;
  /** Tasks at once in this process. */
  readonly concurrency: number;
  /** Tasks at once in all workers together, or runs. Default: no limit. */
  readonly globalConcurrency?: number;
  /**
   * Whether {@link globalConcurrency} counts runs that take places (see `PlacePort`), because the tasks run in batches. Default: it
   * counts the tasks that workers take.
   */
  readonly countsRuns?: boolean;
  /** The most tasks that one run takes. Default: 1. */
  readonly batchSize?: number;
  /** All workers of the queue together start at most `max` tasks in `per` milliseconds. */
  readonly rateLimit?: { readonly max: number; readonly per: number };
  /** A further limit of the tasks at once in this process, which changes while the consumer runs. Default: none. */
  readonly places?: Places;
  /** The longest time that the record of any task is kept after it succeeded, or ended otherwise. */
  readonly keep: { readonly succeeded: number; readonly failed: number };
}

/** Places for tasks that several queues share, such as child processes. */
export interface Places {
  /** How many tasks of the queue may run now, those that run included. The consumer takes none beyond. */
  count(): number;
  /** Calls `listener` after each change of {@link count}. @returns removes the listener */
  onChange(listener: () => void): () => void;
}

/** Takes tasks from one queue until it is stopped. */
export interface Consumer {
  /**
   * Resolves once the consumer takes tasks, or when the engine cannot be reached for now: the consumer then starts by
   * itself later.
   *
   * @throws ConfigurationError when another attempt cannot help
   */
  readonly started: Promise<void>;
  /** The tasks that run now. `takenAt` is by `performance.now()`. */
  running(): readonly { readonly id: string; readonly name: string; readonly takenAt: number }[];
  /**
   * How long the consumer has had a free place and no answer of the store to its request for a task, in milliseconds: a few
   * seconds when all is well, 0 while all places are taken, `Infinity` when the consumer does not ask (any more).
   */
  silentFor(): number;
  /**
   * Takes no new task and waits up to `grace` milliseconds for the running ones. Then it aborts their signals and gives
   * back the tasks that still do not end. A later call may shorten the time. `Infinity` waits as long as the tasks take.
   */
  stop(grace: number): Promise<void>;
}

/** Running tasks. */
export interface WorkerPort {
  /** Starts to take tasks from a queue and hands each to `handler`. */
  consume(queue: string, options: ConsumerOptions, handler: DeliveryHandler): Consumer;
}
