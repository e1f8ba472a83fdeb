import type { Job, JobJson, JobsOptions } from 'bullmq';
import type { Backoff, CallOptions, Headers, MemberRange, TaskCall, TaskFailure, TaskTree } from '../../task.js';
import type { Json } from '../../json.js';
import { rangesOf } from '../../task-id.js';
import type { WorkflowNote } from '../../workflow-note.js';
import { isObject } from './unreadable-job.js';

/** The data of a job. Each task is one BullMQ job of the task's name. Any BullMQ client may add one; only `args` is needed. */
export interface JobData {
  readonly args: readonly Json[];
  readonly headers?: Headers;
  /** The format of the job; absent for format 1. See unreadable-job.ts. */
  readonly v?: number;
  /** The task was cancelled: the worker that takes the job next ends it without running it. See operations/cancellation.ts. */
  readonly cancelled?: CancelMark;
  /** The task failed because of a member: the worker that takes the job next clears it away. See operations/failed-wholes.ts. */
  readonly failed?: FailureMark;
  /** The root of the workflow, whose watchers hear of this task too. */
  readonly root?: string;
  readonly members?: readonly MemberRange[];
  readonly note?: WorkflowNote;
  /** A worker was about to store members of the task, so some of them may be stored already. */
  readonly adding?: true;
  /** The process that stored the job, where several processes may store it at the same time. */
  readonly by?: string;
  /** The inbox of the process that stored the job, if it probably waits for the end. See changes/expected-watches.ts. */
  readonly inbox?: string;
  /** How often a worker took the task and did not call its method: members or a delay were not over yet, or it gave the task back. */
  readonly looks?: number;
  /** How many of the looks gave the task back: the worker did not know its name, had no place for it, or closed. */
  readonly returns?: number;
  /** How often a caller ran the task again after its end, and how often its processes had died before that. */
  readonly rerun?: {
    readonly count: number;
    readonly abandoned: number;
    /** The stacks of earlier attempts, where BullMQ removes them from a job that runs again. */
    readonly stacks?: readonly string[];
    /** A caller asked for this run before the last run had ended. Any worker that finds the job runs it. */
    readonly asked?: true;
  };
}

export interface CancelMark {
  readonly at: number;
  readonly reason?: string;
  /** How often the job had been taken when it got the mark; absent in marks of version 0.1.0. */
  readonly starts?: number;
  /** Whether a worker ran the job when it got the mark; absent in marks of earlier versions. */
  readonly running?: boolean;
  /** The request that set the mark. Several may come at the same time, and one of them sets it. */
  readonly by?: string;
  /** A caller has asked to run the task again while its cancelled run had not ended. See operations/retries.ts. */
  readonly again?: true;
}

export interface FailureMark {
  readonly at: number;
  /** Absent once a worker clears the job away: from then on BullMQ has the failure. */
  readonly failure?: TaskFailure;
}

/** The options of a call for which BullMQ has no word. They travel in the job's options, where BullMQ keeps them. */
interface TaskOptionsOfJob {
  readonly backoff?: Backoff;
  readonly expiresAt?: number;
  readonly timeout?: number;
  readonly resultTtl?: number;
  readonly ignoreResult?: boolean;
  /** The task stands for later equal calls only until it starts. */
  readonly uniqueWhilePending?: boolean;
}

export type JobOptions = JobsOptions & { readonly task?: TaskOptionsOfJob };

/**
 * BullMQ drops a deduplication key without a time limit as soon as its job is final, and keeps a key with a limit until
 * then. A key that has to outlive its job gets a limit that no job reaches. Whether the job still exists is checked when
 * another call meets the key.
 */
const RETAINED_KEY_TTL = 400 * 24 * 60 * 60 * 1000;

/** Priority 9 is BullMQ's 1 (first), priority 0 its 10. */
const LOWEST_PRIORITY = 10;

/** BullMQ's number for a priority of 0 to 9. */
export function toBullMQPriority(priority: number): number {
  return LOWEST_PRIORITY - priority;
}

/** The job of a call, as BullMQ's producers take it. */
export function toJob(
  call: TaskCall | TaskTree,
  now: number,
  priorities: boolean,
): { name: string; data: JobData; opts: JobOptions } {
  return {
    name: call.name,
    data: toData(call),
    opts: { jobId: call.id, timestamp: now, ...toOptions(call, now, priorities) },
  };
}

/** A job as BullMQ's backends take it. */
export interface JobEntry {
  readonly job: JobJson;
  readonly jobId: string;
}

/**
 * The job of a call for a backend. It is written out here because BullMQ's `Job` class takes as long to make it as all
 * other steps of an enqueue together.
 *
 * @param from what the job is to tell of the process that stores it
 */
export function toJobEntry(
  call: TaskCall | TaskTree,
  now: number,
  priorities: boolean,
  from?: Pick<JobData, 'by' | 'inbox'>,
): JobEntry {
  const { id, name, unique } = call;
  const opts = toOptions(call, now, priorities);
  return {
    jobId: id,
    job: {
      id,
      name,
      data: JSON.stringify(from ? { ...toData(call), ...from } : toData(call)),
      opts,
      timestamp: now,
      progress: 0,
      attemptsMade: 0,
      attemptsStarted: 0,
      stalledCounter: 0,
      ...(opts.delay !== undefined && { delay: opts.delay }),
      ...(opts.priority !== undefined && { priority: opts.priority }),
      ...(unique && { deduplicationId: unique.key }),
    } as JobJson,
  };
}

function toData(call: TaskCall | TaskTree): JobData {
  const { args, headers } = call;
  return 'members' in call ? { args, headers, ...workflowData(call) } : { args, headers };
}

/** Most calls have no options of their own, and then nothing is stored for them. */
function toOptions({ options, unique }: TaskCall, now: number, priorities: boolean): JobOptions {
  const { attempts, startAt, priority, ...rest } = options;
  const opts: { -readonly [K in keyof JobOptions]: JobOptions[K] } = {};
  // Also 1: the call may ask for no retries although the declaration has some.
  if (attempts !== undefined) opts.attempts = attempts;
  if (startAt !== undefined && startAt > now) opts.delay = startAt - now;
  if (priorities) opts.priority = toBullMQPriority(priority ?? 0);
  if (unique) opts.deduplication = { id: unique.key, ...(unique.while === 'retained' && { ttl: RETAINED_KEY_TTL }) };
  const task: TaskOptionsOfJob = unique?.while === 'pending' ? { ...rest, uniqueWhilePending: true } : rest;
  if (Object.keys(task).length > 0) opts.task = task;
  return opts;
}

/** The part of the data that only jobs of workflows have. */
function workflowData({ members, root, note }: TaskTree): Pick<JobData, 'members' | 'root' | 'note'> {
  return {
    ...(members.length > 0 && { members: rangesOf(members.map(({ queue }) => queue)) }),
    ...(root !== undefined && { root }),
    ...(note !== undefined && Object.keys(note).length > 0 && { note }),
  };
}

/** The job's data; `undefined` when it does not have the form `{ args: [...], headers: { ... } }`. */
export function readData(data: unknown): JobData | undefined {
  if (!isObject(data) || !Array.isArray(data['args'])) return undefined;
  if (!isObject(data['headers'] ?? {})) return undefined;
  return data as unknown as JobData;
}

/** The headers of a job, without the values that are not text: a foreign client may have stored anything. */
export function readHeaders(data: JobData | undefined): Headers {
  const entries = Object.entries(data?.headers ?? {});
  const texts = entries.filter(([, value]) => typeof value === 'string');
  return texts.length === entries.length ? (data?.headers ?? {}) : Object.fromEntries(texts);
}

/** The number of the attempt that runs, 1 for the first. */
export function attemptOf({ attemptsMade, data }: Pick<Job<JobData>, 'attemptsMade' | 'data'>): number {
  return attemptsMade + 1 + (readData(data)?.note?.tried ?? 0);
}

export function readOptions(opts: JobOptions): CallOptions {
  const { attempts, priority, task } = opts;
  return {
    ...(attempts ? { attempts } : {}),
    ...(priority !== undefined &&
      priority >= 1 &&
      priority < LOWEST_PRIORITY && { priority: LOWEST_PRIORITY - priority }),
    ...task,
  };
}

/** The value of a stored JSON text; `undefined` when the text is missing or not JSON. */
export function parse(text: string | undefined): unknown {
  if (text === undefined || text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
