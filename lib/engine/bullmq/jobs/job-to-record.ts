import type { JobJson, JobState } from 'bullmq';
import type { TaskFailure, TaskRecord, TaskState } from '../../task.js';
import type { Json } from '../../json.js';
import { cancellation, expiry, isCancellation, isExpiry, unreadable } from '../../failures.js';
import { timeToLive, type Retention } from '../../retention.js';
import { lastFailure, readFailure } from './job-failure.js';
import { parse, readData, readHeaders, type CancelMark, type JobData, type JobOptions } from './job-data.js';
import { runsAgain } from './run-again.js';
import { FORMAT, formatOf, isTime, UNKNOWN_NAME, unreadableReason } from './unreadable-job.js';
import { wholeOf } from './whole-of-job.js';

/** The record of the task that a job stores; `undefined` once its time to live is over. */
export function toRecord(
  id: string,
  json: JobJson,
  queue: string,
  jobState: JobState,
  retention: Retention,
  now: number,
): TaskRecord | undefined {
  const stored = parse(json.data);
  const reason = whyUnreadable(json, stored, jobState);
  if (reason === undefined) {
    const data = readData(stored);
    return jobState === 'failed' && runsAgain(json, data, now)
      ? readableRecord(id, asQueued(json), data && dataOfQueued(data), { queue, jobState: 'waiting', retention, now })
      : readableRecord(id, json, data, { queue, jobState, retention, now });
  }
  const isNewer = formatOf(stored) > FORMAT;
  return isNewer
    ? readableRecord(id, withoutOwnFields(json), bareData(stored), { queue, jobState, retention, now })
    : unreadableRecord(id, json, stored, { queue, retention, now, reason });
}

interface RecordFacts {
  readonly queue: string;
  readonly jobState: JobState;
  readonly retention: Retention;
  readonly now: number;
}

function readableRecord(
  id: string,
  json: JobJson,
  data: JobData | undefined,
  { queue, jobState, retention, now }: RecordFacts,
): TaskRecord | undefined {
  const opts: JobOptions = json.opts;
  const { failed } = data ?? {};
  // A task that a caller has asked to run again goes on, also when the worker of its cancelled run has died.
  const cancelled = data?.cancelled?.again && !isFinishedInBullMQ(jobState) ? undefined : data?.cancelled;
  const finishedByBullMQ = isFinishedInBullMQ(jobState);
  const failure =
    jobState === 'failed' ? readFailure(json) : jobState === 'completed' ? null : (failed?.failure ?? null);
  // The expiry time concerns the start that the call asked for. A caller who runs the task again asks for another one.
  const startBy = data?.rerun ? undefined : opts.task?.expiresAt;
  const state = taskState(json, jobState, {
    failure,
    data,
    cancelled,
    expiresAt: startBy,
    now,
  });
  // What the worker clears away later has ended before.
  const endedBefore = state === 'failed' ? failed?.at : undefined;
  const finishedAt = finishedByBullMQ
    ? (endedBefore ?? json.finishedOn ?? now)
    : isEnded(state)
      ? (endedBefore ?? cancelled?.at ?? startBy ?? now)
      : null;
  const expiresAt = finishedAt === null ? null : finishedAt + timeToLive(state, opts.task?.resultTtl, retention);
  // A member is kept as long as the task that waits for it, so that the whole can be looked at and run again.
  if (expiresAt !== null && expiresAt <= now && !json.parentKey) return undefined;
  // BullMQ counts an attempt also when a worker took the task only to end it.
  const endedUnrun =
    state === 'expired' || (state === 'cancelled' && wasTakenAfter(json, cancelled)) || endedBefore !== undefined;
  const made = (json.attemptsMade ?? 0) + (data?.note?.tried ?? 0) - (jobState === 'failed' && endedUnrun ? 1 : 0);
  const whole = wholeOf(json);
  return {
    id,
    name: json.name,
    queue,
    state,
    // BullMQ's number 0 stands for "none yet".
    progress: json.progress === 0 ? null : (json.progress as Json),
    result: state === 'succeeded' ? ((parse(json.returnvalue) ?? null) as Json) : null,
    error: failure ?? endedEarly(state, cancelled?.reason) ?? (state === 'retrying' ? lastFailure(json) : null),
    attempt: state === 'running' ? made + 1 : made,
    maxAttempts: Math.max(opts.attempts ?? 1, 1),
    enqueuedAt: json.timestamp,
    // A worker that only looked at the members has not started the task.
    startedAt: json.attemptsStarted > (data?.looks ?? 0) - (data?.returns ?? 0) ? (json.processedOn ?? null) : null,
    finishedAt,
    expiresAt,
    headers: readHeaders(data),
    ...(data?.members && { members: data.members }),
    ...(data?.note !== undefined && { note: data.note }),
    ...(data?.root !== undefined && data.root !== id && { root: data.root }),
    ...(whole !== undefined && { whole }),
    ...(data?.rerun && { reruns: data.rerun.count }),
    ...(opts.priority && { isOrdered: true as const }),
  };
}

function isFinishedInBullMQ(jobState: JobState): boolean {
  return jobState === 'completed' || jobState === 'failed';
}

/** A job that is about to be queued again, with all its attempts. */
function asQueued(json: JobJson): JobJson {
  const { finishedOn: _finished, processedOn: _processed, ...rest } = json;
  return { ...rest, attemptsMade: 0, attemptsStarted: 0 };
}

function dataOfQueued({ cancelled: _cancelled, looks: _looks, returns: _returns, ...data }: JobData): JobData {
  return data;
}

/** Why a job that was found cannot be read; `undefined` when it can. @param data of the job, parsed */
export function whyUnreadable(json: JobJson, data: unknown, jobState: JobState): string | undefined {
  if (data === undefined) return 'data is not JSON';
  if (jobState === 'completed' && parse(json.returnvalue) === undefined) return 'returnvalue is not JSON';
  return unreadableReason(json, data);
}

/**
 * A job of a newer version of this package, without what that version alone understands. Its task is not reported as
 * failed here.
 */
function withoutOwnFields(json: JobJson): JobJson {
  return {
    ...json,
    opts: {},
    timestamp: timeOf(json.timestamp) ?? 0,
    processedOn: timeOf(json.processedOn),
    finishedOn: timeOf(json.finishedOn),
  };
}

function bareData(data: unknown): JobData {
  return { args: [], headers: readHeaders(readData(data)) };
}

/**
 * The record of a job that cannot be read. A worker gives the task the same end when it takes the job. The record has the
 * headers, as far as they can be read, because they may name the owner of the task.
 */
function unreadableRecord(
  id: string,
  json: JobJson,
  data: unknown,
  { queue, retention, now, reason }: Omit<RecordFacts, 'jobState'> & { readonly reason: string },
): TaskRecord | undefined {
  const finishedAt = timeOf(json.finishedOn) ?? now;
  const expiresAt = finishedAt + retention.failedTtl;
  if (expiresAt <= now) return undefined;
  return {
    id,
    name: typeof json.name === 'string' && json.name !== '' ? json.name : UNKNOWN_NAME,
    queue,
    state: 'failed',
    progress: null,
    result: null,
    error: unreadable(reason),
    attempt: 0,
    maxAttempts: 1,
    enqueuedAt: timeOf(json.timestamp) ?? 0,
    startedAt: timeOf(json.processedOn) ?? null,
    finishedAt,
    expiresAt,
    headers: readHeaders(readData(data)),
  };
}

function timeOf(value: number | undefined): number | undefined {
  return isTime(value) ? value : undefined;
}

function taskState(
  json: JobJson,
  jobState: JobState,
  facts: {
    failure: TaskFailure | null;
    data: JobData | undefined;
    cancelled: CancelMark | undefined;
    expiresAt: number | undefined;
    now: number;
  },
): TaskState {
  if (jobState === 'completed') return 'succeeded';
  // Stored by BullMQ, or in the mark of a failed member.
  if (jobState === 'failed' || facts.failure) return stateOfFailure(facts.failure);
  switch (jobState) {
    case 'active':
      if (wasTakenAfter(json, facts.cancelled)) return 'cancelled';
      return wasTakenExpired(json, facts) ? 'expired' : 'running';
    case 'waiting-children':
      return facts.cancelled === undefined ? 'waiting' : 'cancelled';
    default:
      if (facts.cancelled !== undefined) return 'cancelled';
      return waitingState(json, jobState, facts);
  }
}

/** The state of a task that is in a queue, or will be at its time. */
function waitingState(
  json: JobJson,
  jobState: JobState,
  { data, expiresAt, now }: { data: JobData | undefined; expiresAt: number | undefined; now: number },
): TaskState {
  const { members, note, looks = 0, returns = 0 } = data ?? {};
  // The members ended, and the task gathers their results soon.
  const gathers = members !== undefined && (note?.group !== undefined || note?.replaced === true);
  if (gathers && json.attemptsStarted > 0 && !(json.attemptsMade > 0)) return 'waiting';
  if (json.attemptsStarted > looks) return 'retrying';
  if (expiresAt !== undefined && expiresAt <= now) return 'expired';
  // It was shown as running while the worker had it, and a state never goes back to an earlier one.
  if (returns > 0 && !note && !members) return 'retrying';
  if (looks === 0) return jobState === 'delayed' ? 'scheduled' : 'queued';
  if (jobState !== 'delayed') return 'queued';
  // The task waits for its time, or looks at its members again soon.
  return typeof note?.delay === 'object' && note.delay.at > now ? 'scheduled' : 'waiting';
}

/**
 * A worker that takes a task after it was cancelled ends it without running it. The count of starts tells that whatever the
 * clocks of the processes say.
 */
function wasTakenAfter(json: JobJson, cancelled: CancelMark | undefined): boolean {
  if (!cancelled) return false;
  if (cancelled.starts === undefined) return (json.processedOn ?? 0) >= cancelled.at;
  return json.attemptsStarted > cancelled.starts;
}

/** A worker that takes a task after it expired ends it without running it. Both times are those of the clock of the store. */
function wasTakenExpired(
  { attemptsStarted, processedOn }: JobJson,
  { data, expiresAt }: { data: JobData | undefined; expiresAt: number | undefined },
): boolean {
  if (expiresAt === undefined || processedOn === undefined) return false;
  return attemptsStarted - (data?.looks ?? 0) <= 1 && processedOn >= expiresAt;
}

/** Cancelled and expired tasks are failed jobs to BullMQ; their failures tell them apart. */
function stateOfFailure(failure: TaskFailure | null): TaskState {
  if (isCancellation(failure)) return 'cancelled';
  return isExpiry(failure) ? 'expired' : 'failed';
}

/** Whether a task has ended although no worker has taken its job out of the queue yet. */
function isEnded(state: TaskState): boolean {
  return state === 'cancelled' || state === 'expired' || state === 'failed';
}

function endedEarly(state: TaskState, reason: string | undefined): TaskFailure | null {
  if (state === 'cancelled') return cancellation(reason);
  if (state === 'expired') return expiry();
  return null;
}
