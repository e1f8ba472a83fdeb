/**
 * The port between tasks and the place where they wait. The words used everywhere in this package:
 *
 * - **task**: one stored call of a declared method, from enqueue to its final state; it has an id.
 * - **call**: what a producer wants stored ({@link TaskCall}).
 * - **record**: what the engine knows of a stored task ({@link TaskRecord}).
 * - **delivery**: a record handed to a worker for one attempt ({@link Delivery}).
 * - **outcome**: how that attempt ended ({@link Outcome}).
 * - **member**: a task that another one waits for, without running ({@link TaskTree}).
 * - **queue**: where tasks wait; **consumer**: the part of a process that takes tasks from one queue.
 * - **attempt**: one run of the method. Retries are the attempts after the first.
 *
 * Times are milliseconds since 1970, durations are milliseconds.
 */
import type { Interruption } from './interruption.js';
import type { Json } from './json.js';
import type { ScheduleStore } from './schedule-store.js';

/**
 * `scheduled` (its time has not come) → `queued` → `running` → a final state, with `retrying` between two attempts and
 * `waiting` while a workflow's members run.
 */
export type TaskState =
  | 'scheduled'
  | 'queued'
  | 'waiting'
  | 'running'
  | 'retrying'
  | 'succeeded'
  | 'failed'
  | 'cancelled'
  | 'expired';

const FINAL_STATES: ReadonlySet<TaskState> = new Set(['succeeded', 'failed', 'cancelled', 'expired']);

/** Whether a task in this state will change no more by itself. */
export function isFinal(state: TaskState): boolean {
  return FINAL_STATES.has(state);
}

/** What is kept of an error: a class cannot cross a process, its name, message and code can. */
export interface TaskFailure {
  readonly name: string;
  readonly message: string;
  readonly code?: string;
  /** The error was written for callers (an `HttpException`, `TaskContext.fail()`), so production may show it. */
  readonly exposable?: boolean;
  /** For logs and administrators only; never leaves through HTTP. */
  readonly stack?: string;
  /** The member a workflow failed by. */
  readonly member?: FailedMember;
}

/** A member that failed, was cancelled, expired or got lost, so that the whole failed. */
export interface FailedMember {
  readonly id: string;
  readonly task: string;
  /** Its place in its own chain or group, 0 for the first. */
  readonly position: number;
  readonly error: { readonly name: string; readonly message: string; readonly code?: string };
}

/** Headers travel with a task, and on to what that task enqueues. */
export type Headers = Readonly<Record<string, string>>;

/** What is stored beside the arguments because this call differs from the queue's defaults. */
export interface CallOptions {
  /** Attempts in all, at least 1. */
  readonly attempts?: number;
  readonly backoff?: Backoff;
  /** Time from which on it may start. */
  readonly startAt?: number;
  /** Time after which it is not started any more. */
  readonly expiresAt?: number;
  /** Limit of one attempt. */
  readonly timeout?: number;
  /** 0 to 9, higher first. */
  readonly priority?: number;
  /** How long it can be asked for once it succeeded; other ends use the longer of this and the queue's `failedTtl`. */
  readonly resultTtl?: number;
  readonly ignoreResult?: boolean;
}

/** How long to wait before the next attempt. `max` caps the growth, `jitter` (0 to 1) is the share that is random. */
export interface Backoff {
  readonly type: 'fixed' | 'exponential';
  readonly delay: number;
  readonly max: number;
  readonly jitter: number;
}

/** What keeps equal tasks away. */
export interface Uniqueness {
  /** A digest of the task's name and what makes calls equal. */
  readonly key: string;
  readonly while: 'pending' | 'running' | 'retained';
  /** The caller's own key, when other arguments under it are an error instead of the same call. */
  readonly idempotencyKey?: string;
}

/** What became of a call. */
export interface Receipt {
  /** The call's own id, or that of the earlier task which stands for it. */
  readonly id: string;
  readonly deduplicated: boolean;
  readonly state: TaskState;
}

/** One call, ready to be stored: checked to be JSON, merged from definition, call options and context. */
export interface TaskCall {
  readonly id: string;
  readonly name: string;
  readonly queue: string;
  readonly args: readonly Json[];
  readonly headers: Headers;
  readonly options: CallOptions;
  readonly unique?: Uniqueness;
}

/**
 * A call that waits for others. All of a tree are stored in one step; what has members runs once they ended. The id of
 * each member follows from its parent's ({@link memberId}).
 */
export interface TaskTree extends TaskCall {
  readonly members: readonly TaskTree[];
  /** Whether its parent runs as soon as this one failed (`run`), or only once all its members ended (`wait`). */
  readonly onFailure?: 'run' | 'wait';
  /** The task whose watchers hear of this one's changes too. */
  readonly root?: string;
  /** What the workflow keeps with the task; the engine only hands it on. */
  readonly note?: Json;
}

/** Members in a row that wait in the same queue: thousands need no list of their ids. */
export interface MemberRange {
  readonly queue: string;
  readonly count: number;
}

/** What became of a member. */
export type MemberResult =
  | { readonly id: string; readonly state: 'succeeded'; readonly value: Json }
  | { readonly id: string; readonly state: 'failed'; readonly task: string; readonly failure: TaskFailure }
  | { readonly id: string; readonly state: 'unfinished' };

/** What the engine knows of a task. */
export interface TaskRecord {
  readonly id: string;
  readonly name: string;
  readonly queue: string;
  readonly state: TaskState;
  readonly progress: Json | null;
  readonly result: Json | null;
  readonly error: TaskFailure | null;
  /** Number of the current or last attempt; 0 before the first. */
  readonly attempt: number;
  readonly maxAttempts: number;
  readonly enqueuedAt: number;
  readonly startedAt: number | null;
  readonly finishedAt: number | null;
  /** Until when it can be asked for; set once it is final. */
  readonly expiresAt: number | null;
  /** Not for callers: they may say whose task it is. */
  readonly headers: Headers;
  /** The tasks it waits for or waited for; their ids are those of {@link memberIds}. */
  readonly members?: readonly MemberRange[];
  /** See {@link TaskTree.note}. */
  readonly note?: Json;
}

/** One attempt, as a worker gets it. */
export interface Delivery {
  readonly id: string;
  readonly name: string;
  readonly queue: string;
  /** `undefined` when the stored job does not have the form `{ args: [...], headers: {...} }`. */
  readonly args: readonly Json[] | undefined;
  readonly headers: Headers;
  readonly options: CallOptions;
  /** 1 for the first. */
  readonly attempt: number;
  /** How often it was handed to a worker, this time included: more than `attempt` when it was postponed or abandoned. */
  readonly starts: number;
  /** How often a process that ran it died or lost its hold on it. */
  readonly abandoned: number;
  readonly enqueuedAt: number;
  /** See {@link TaskTree.note}. */
  readonly note?: Json;
  /** The task whose watchers hear of this one's changes; its own id outside of workflows. */
  readonly root: string;
  /** How many members it has. */
  readonly memberCount: number;
  /** What became of its members so far, in order. */
  members(): Promise<readonly MemberResult[]>;
  /** Wanted when it is cancelled, the application closes, or another worker took the task over. */
  readonly interruption: Interruption;
  progress(value: Json): Promise<void>;
  log(line: string): Promise<void>;
}

/** How an attempt ended. */
export type Outcome =
  | { readonly kind: 'succeeded'; readonly result: Json | undefined }
  /** Final: no attempt is left, or none would help. */
  | { readonly kind: 'failed'; readonly failure: TaskFailure }
  /** Again after `delay`; uses up an attempt. */
  | { readonly kind: 'retry'; readonly failure: TaskFailure; readonly delay: number }
  /** Back to the queue for `delay`, without using up an attempt. */
  | { readonly kind: 'postponed'; readonly delay: number }
  /**
   * Runs again once its members ended, without using up an attempt. `members` come after those it has; the note is stored
   * before them, so that nothing is lost when the process dies in between: the same outcome may be said again.
   */
  | { readonly kind: 'waiting'; readonly members: readonly TaskTree[]; readonly note: Json };

/** What a consumer is told about its queue. */
export interface ConsumerOptions {
  /** Tasks at once in this process. */
  readonly concurrency: number;
  /** At most `max` tasks are started in `per` milliseconds, by all workers of the queue together. */
  readonly rateLimit?: { readonly max: number; readonly per: number };
  /** The longest time any task can be asked for once it succeeded, or ended otherwise; nothing is kept beyond it. */
  readonly keep: { readonly succeeded: number; readonly failed: number };
}

/** Takes tasks from one queue until it is stopped. */
export interface Consumer {
  /**
   * Resolves once it takes tasks, or when the engine cannot be reached for now: then it begins by itself later.
   * @throws ConfigurationError for what trying again cannot heal
   */
  readonly started: Promise<void>;
  /**
   * Takes no new task, waits up to `grace` for the running ones, then aborts their signals and gives back what still
   * does not end. Safe to call twice.
   */
  stop(grace: number): Promise<void>;
}

/** What somebody who watches a task wants to hear of. */
export interface Interest {
  /** Only that it may have become final; otherwise of every change. */
  readonly endOnly: boolean;
  /** It was stored this moment, by this process: nothing is to be told of it yet. */
  readonly isNew: boolean;
}

/** A place where tasks wait. Nothing in it is optional: every engine does all of it. */
export interface Engine {
  /**
   * Connects and prepares the store. Resolves once the engine can be used, or when it cannot be reached for now (it
   * says so in one log line and goes on trying).
   * @throws ConfigurationError for what trying again cannot heal: a wrong password, a missing driver or permission.
   */
  start(): Promise<void>;
  /**
   * Stores calls, all of one queue or of several. An id that is already stored is left as it is, so that trying again
   * is harmless.
   * @returns a receipt for each, in order
   * @throws EngineUnavailableError when the engine does not answer in time.
   * @throws IdempotencyConflictError when the key was used with other arguments.
   */
  enqueue(calls: readonly TaskCall[]): Promise<Receipt[]>;
  /**
   * Stores a task and all it waits for, in one atomic step; trying again is harmless.
   * @throws EngineUnavailableError when the engine does not answer in time.
   */
  enqueueTree(tree: TaskTree): Promise<Receipt>;
  /** The task of this id; `undefined` when there is none or its time to live is over. */
  find(id: string): Promise<TaskRecord | undefined>;
  /** How many members of a task have ended so far. */
  countEnded(record: TaskRecord): Promise<number>;
  /**
   * Calls `listener` soon, unless the task is new, and whenever it may have changed, until the returned function is
   * called. Of a task that succeeded it may get the record as it was stored then; otherwise it asks with {@link find}.
   * Lost notifications are made up for by a slow poll.
   */
  watch(id: string, listener: (record?: TaskRecord) => void, interest: Interest): () => void;
  /**
   * Asks for cancellation, also of all members that are not final; the record as it is afterwards, `undefined` when
   * there is no such task.
   */
  cancel(id: string, reason: string | undefined): Promise<TaskRecord | undefined>;
  /**
   * Runs a failed or cancelled task again under its id, with all its attempts, after those of its members that did not
   * succeed; on any other it changes nothing.
   */
  retry(id: string): Promise<TaskRecord | undefined>;
  /** Drops what is stored of a final task; false when there is no such task or it is not final. */
  forget(id: string): Promise<boolean>;
  /** Starts taking tasks of a queue; each goes to `run`, which never rejects. */
  consume(queue: string, options: ConsumerOptions, run: (delivery: Delivery) => Promise<Outcome>): Consumer;
  /** What schedules are stored in. */
  readonly schedules: ScheduleStore;
  /** The engine's own queue object (BullMQ's `Queue`), for those who want more than this package gives. */
  native(queue: string): unknown;
  /** Closes what this engine opened; safe to call twice, and when the server is gone. */
  close(): Promise<void>;
}
