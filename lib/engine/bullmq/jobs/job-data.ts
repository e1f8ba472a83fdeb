import type { JobJson, JobsOptions } from 'bullmq';
import type { Backoff, CallOptions, Headers, MemberRange, TaskCall, TaskTree } from '../../engine.js';
import type { Json } from '../../json.js';
import { rangesOf } from '../../task-id.js';

/**
 * How a task is stored: one BullMQ job named after the task. Any BullMQ client may add one; only `args` is needed.
 */
export interface StoredData {
  readonly args: readonly Json[];
  readonly headers?: Headers;
  /** Cancellation was asked for; whoever takes the job next ends it without running it. */
  readonly cancelled?: { readonly at: number; readonly reason?: string };
  /** The task whose watchers hear of this one too. */
  readonly root?: string;
  readonly members?: readonly MemberRange[];
  readonly note?: Json;
  /** It was about to store members when its process died, so some may be there. */
  readonly adding?: true;
}

/** The part of a call's options that BullMQ has no word for. It travels in the job's options, where BullMQ keeps it. */
interface StoredOptions {
  readonly backoff?: Backoff;
  readonly expiresAt?: number;
  readonly timeout?: number;
  readonly resultTtl?: number;
  readonly ignoreResult?: boolean;
  /** It keeps equal ones away only until it starts. */
  readonly uniqueWhilePending?: boolean;
}

export type StoredJobOptions = JobsOptions & { readonly task?: StoredOptions };

/** How long finished tasks are kept, in milliseconds. */
export interface Retention {
  readonly ttl: number;
  readonly failedTtl: number;
}

/**
 * BullMQ forgets a deduplication key without a time limit when its job is final, and one with a limit then. Keys that
 * are to outlive their jobs get a limit that no job reaches; whether the job is still there is checked when it counts.
 */
const RETAINED_KEY_TTL = 400 * 24 * 60 * 60 * 1000;

/** Priority 9 is BullMQ's 1 (first), priority 0 its 10. */
const LOWEST_PRIORITY = 10;

/** What BullMQ's producers take for one call. */
export function toJob(
  call: TaskCall | TaskTree,
  now: number,
  priorities: boolean,
): { name: string; data: StoredData; opts: StoredJobOptions } {
  return {
    name: call.name,
    data: toData(call),
    opts: { jobId: call.id, timestamp: now, ...toOptions(call, now, priorities) },
  };
}

/** A job as BullMQ's backends store it. */
export interface JobEntry {
  readonly job: JobJson;
  readonly jobId: string;
}

/**
 * The same for a backend: BullMQ's `Job` would take as long to make the entry of it as all else that is done for a call.
 */
export function toJobEntry(call: TaskCall | TaskTree, now: number, priorities: boolean): JobEntry {
  const { id, name, unique } = call;
  const opts = toOptions(call, now, priorities);
  return {
    jobId: id,
    job: {
      id,
      name,
      data: JSON.stringify(toData(call)),
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

function toData(call: TaskCall | TaskTree): StoredData {
  const { args, headers } = call;
  return 'members' in call ? { args, headers, ...ofWorkflow(call) } : { args, headers };
}

/** A queue's tasks mostly have none, and then nothing is stored of them. */
function toOptions({ options, unique }: TaskCall, now: number, priorities: boolean): StoredJobOptions {
  const { attempts, startAt, priority, ...rest } = options;
  const opts: { -readonly [K in keyof StoredJobOptions]: StoredJobOptions[K] } = {};
  if (attempts !== undefined && attempts > 1) opts.attempts = attempts;
  if (startAt !== undefined && startAt > now) opts.delay = startAt - now;
  if (priorities) opts.priority = LOWEST_PRIORITY - (priority ?? 0);
  if (unique) opts.deduplication = { id: unique.key, ...(unique.while === 'retained' && { ttl: RETAINED_KEY_TTL }) };
  const task: StoredOptions = unique?.while === 'pending' ? { ...rest, uniqueWhilePending: true } : rest;
  if (Object.keys(task).length > 0) opts.task = task;
  return opts;
}

/** What is stored of a workflow with each of its jobs. */
function ofWorkflow({ members, root, note }: TaskTree): Pick<StoredData, 'members' | 'root' | 'note'> {
  return {
    ...(members.length > 0 && { members: rangesOf(members.map(({ queue }) => queue)) }),
    ...(root !== undefined && { root }),
    ...(note !== undefined && Object.keys(note as object).length > 0 && { note }),
  };
}

/** What was stored as the job's data; `undefined` when it is not of the form `{ args: [...] }`. */
export function readData(data: unknown): StoredData | undefined {
  if (typeof data !== 'object' || data === null || !('args' in data) || !Array.isArray(data.args)) return undefined;
  return data as StoredData;
}

/** Headers as they are promised to tasks, whatever a foreign client stored there. */
export function readHeaders(data: StoredData | undefined): Headers {
  const entries = Object.entries(data?.headers ?? {});
  const texts = entries.filter(([, value]) => typeof value === 'string');
  return texts.length === entries.length ? (data?.headers ?? {}) : Object.fromEntries(texts);
}

export function readOptions(opts: StoredJobOptions): CallOptions {
  return { ...(opts.attempts ? { attempts: opts.attempts } : {}), ...opts.task };
}

/** JSON as BullMQ stored it; `undefined` for what is none. */
export function parse(text: string | undefined): unknown {
  if (text === undefined || text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
