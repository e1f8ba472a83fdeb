import type { Headers } from './headers.js';
import type { Json } from './json.js';
import type { WorkflowNote } from './workflow-note.js';

/**
 * `scheduled` (its time has not come) → `queued` → `running` → a final state, with `retrying` between two attempts and
 * `waiting` while the members of a workflow run. The diagram of all transitions is in docs/architecture.md.
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

/** Whether a task in this state stays in it until an explicit `retry` or `forget`. */
export function isFinal(state: TaskState): boolean {
  return FINAL_STATES.has(state);
}

/** The stored form of an error: its class cannot cross a process boundary, its name, message and code can. */
export interface TaskFailure {
  readonly name: string;
  readonly message: string;
  readonly code?: string;
  /** The error was written for callers (an `HttpException`, `TaskContext.fail()`), so production may show it. */
  readonly exposable?: boolean;
  /** For logs and administrators only; never leaves through HTTP. */
  readonly stack?: string;
  /** The member that made a workflow fail. */
  readonly member?: FailedMember;
}

/** A member that failed, was cancelled, expired or got lost, and so made its whole workflow fail. */
export interface FailedMember {
  readonly id: string;
  readonly task: string;
  /** Its place in its own chain or group, 0 for the first. */
  readonly position: number;
  readonly error: { readonly name: string; readonly message: string; readonly code?: string };
}

export type { Headers } from './headers.js';

/** The options of one call. What a call leaves out comes from the declaration of the task in the worker. */
export interface CallOptions {
  /** Attempts in all, at least 1. */
  readonly attempts?: number;
  readonly backoff?: Backoff;
  /** The earliest time at which the task may start. */
  readonly startAt?: number;
  /** The time after which the task is no longer started. */
  readonly expiresAt?: number;
  /** The longest time one attempt may take. */
  readonly timeout?: number;
  /** 0 to 9, higher first. */
  readonly priority?: number;
  /** How long the record of a succeeded task is kept; other ends use the longer of this and the queue's `failedTtl`. */
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

/** Makes an earlier task stand for later equal calls. */
export interface Uniqueness {
  /** A digest of the task's name and of what makes two calls equal. */
  readonly key: string;
  /** How long the earlier task stands for later ones: until it starts, until it is final, or until it is removed. */
  readonly while: 'pending' | 'running' | 'retained';
  /** The caller's own key. Other arguments under the same key are then an error instead of the same call. */
  readonly idempotencyKey?: string;
}

/** The answer to one enqueued call. */
export interface Receipt {
  /** The call's own id, or the id of the earlier task which stands for it. */
  readonly id: string;
  /** `undefined` when that is decided later: the call waits in an outbox. */
  readonly deduplicated: boolean | undefined;
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
  /** The id is derived, so several processes may store the call at the same time: the run of a schedule, a callback. */
  readonly isShared?: true;
}

/**
 * A call that waits for other calls, its members. The engine stores a whole tree in one step and runs a task once its
 * members have ended. The id of each member is derived from its parent's id (`memberId` in task-id.ts).
 */
export interface TaskTree extends TaskCall {
  readonly members: readonly TaskTree[];
  /** Whether the parent runs as soon as this member failed (`run`, default), or only once all its members ended (`wait`). */
  readonly onFailure?: 'run' | 'wait';
  /** The root of the workflow: its watchers hear of changes of this task too. */
  readonly root?: string;
  /** What the workflow stores with the task. The engine hands it on and never reads it. */
  readonly note?: WorkflowNote;
}

/** Consecutive members in the same queue. A range instead of a list of ids keeps a group of thousands small. */
export interface MemberRange {
  readonly queue: string;
  readonly count: number;
}

/** The result of one member, as far as it is known. */
export type MemberResult =
  | { readonly id: string; readonly state: 'succeeded'; readonly value: Json }
  | FailedResult
  | { readonly id: string; readonly state: 'unfinished' };

export interface FailedResult {
  readonly id: string;
  readonly state: 'failed';
  /** The name of the member. */
  readonly task: string;
  readonly failure: TaskFailure;
}

/**
 * Why a queued task does not start:
 *
 * - `paused`: its queue is paused.
 * - `no-worker`: no living worker takes tasks from its queue.
 * - `rate-limit`: its queue has started as many tasks as its rate limit allows for now.
 * - `concurrency`: as many tasks of its queue run as the global concurrency allows.
 * - `key`: other tasks of its key run. Reserved; nothing gives it yet.
 */
export type BlockReason = 'paused' | 'rate-limit' | 'concurrency' | 'key' | 'no-worker';

/** What is known about the wait of a queued task. */
export interface TaskBlock {
  /** `null`: nothing but the tasks before it. */
  readonly by: BlockReason | null;
  /** How many tasks of its queue start before it; `null` when that is not cheap to tell. */
  readonly position: number | null;
  /** `null` when that is not cheap to tell. */
  readonly estimatedStart: number | null;
}

/** A stored task as the engine reports it. */
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
  /** The time at which a final task's record is removed; `null` before the task is final. */
  readonly expiresAt: number | null;
  /** Not for callers: headers may hold the owner of a task. */
  readonly headers: Headers;
  /** The tasks this one waits for or waited for; `memberIds` in task-id.ts gives their ids. */
  readonly members?: readonly MemberRange[];
  /** See {@link TaskTree.note}. */
  readonly note?: WorkflowNote;
  /** The root of the workflow that the task is a member of; absent outside of workflows, and on the root itself. */
  readonly root?: string;
  /** The task that fails when this one does not succeed: its workflow, or the next step of its chain. */
  readonly whole?: string;
  /** How often a caller ran the task again after its end; 0 when absent. */
  readonly reruns?: number;
  /** The task was stored in a queue that orders its tasks by priority. */
  readonly isOrdered?: true;
  /** Of a queued task whose status a caller asked for. No engine sets it. */
  readonly block?: TaskBlock;
}
