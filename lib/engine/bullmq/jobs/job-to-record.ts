import type { JobJson, JobState } from 'bullmq';
import type { TaskFailure, TaskRecord, TaskState } from '../../task.js';
import type { Json } from '../../json.js';
import { cancellation, expiry, isCancellation, isExpiry } from '../../failures.js';
import { timeToLive, type Retention } from '../../retention.js';
import { lastFailure, readFailure } from './job-failure.js';
import { parse, readData, readHeaders, type CancelMark, type JobOptions } from './job-data.js';

/** The record of the task that a job stores; `undefined` once its time to live is over. */
export function toRecord(
  id: string,
  json: JobJson,
  queue: string,
  jobState: JobState,
  retention: Retention,
  now: number,
): TaskRecord | undefined {
  const opts: JobOptions = json.opts;
  const data = readData(parse(json.data));
  const cancelled = data?.cancelled;
  const finishedByBullMQ = jobState === 'completed' || jobState === 'failed';
  const failure = jobState === 'failed' ? readFailure(json) : null;
  const state = taskState(json, jobState, {
    failure,
    hasMembers: data?.members !== undefined,
    cancelled,
    expiresAt: opts.task?.expiresAt,
    now,
  });
  const finishedAt = finishedByBullMQ
    ? (json.finishedOn ?? now)
    : isEnded(state)
      ? (cancelled?.at ?? opts.task?.expiresAt ?? now)
      : null;
  const expiresAt = finishedAt === null ? null : finishedAt + timeToLive(state, opts.task?.resultTtl, retention);
  if (expiresAt !== null && expiresAt <= now) return undefined;
  // BullMQ counts an attempt also when a worker took the task only to end it.
  const endedUnrun = state === 'expired' || (state === 'cancelled' && wasTakenAfter(json, cancelled));
  const made = (json.attemptsMade ?? 0) - (jobState === 'failed' && endedUnrun ? 1 : 0);
  return {
    id,
    name: json.name,
    queue,
    state,
    // BullMQ's number 0 stands for "none yet".
    progress: json.progress === 0 ? null : (json.progress as Json),
    result: state === 'succeeded' ? (parse(json.returnvalue) as Json) : null,
    error: failure ?? endedEarly(state, cancelled?.reason) ?? (state === 'retrying' ? lastFailure(json) : null),
    attempt: state === 'running' ? made + 1 : made,
    maxAttempts: Math.max(opts.attempts ?? 1, 1),
    enqueuedAt: json.timestamp,
    startedAt: json.processedOn ?? null,
    finishedAt,
    expiresAt,
    headers: readHeaders(data),
    ...(data?.members && { members: data.members }),
    ...(data?.note !== undefined && { note: data.note }),
  };
}

function taskState(
  json: JobJson,
  jobState: JobState,
  facts: {
    failure: TaskFailure | null;
    hasMembers: boolean;
    cancelled: CancelMark | undefined;
    expiresAt: number | undefined;
    now: number;
  },
): TaskState {
  switch (jobState) {
    case 'completed':
      return 'succeeded';
    case 'failed':
      return stateOfFailure(facts.failure);
    case 'active':
      return wasTakenAfter(json, facts.cancelled) ? 'cancelled' : 'running';
    case 'waiting-children':
      return facts.cancelled === undefined ? 'waiting' : 'cancelled';
    default:
      if (facts.cancelled !== undefined) return 'cancelled';
      // The members ended, and the task goes on soon.
      if (facts.hasMembers && json.attemptsStarted > 0 && !(json.attemptsMade > 0)) return 'waiting';
      if (json.attemptsStarted > 0) return 'retrying';
      if (facts.expiresAt !== undefined && facts.expiresAt <= facts.now) return 'expired';
      return jobState === 'delayed' ? 'scheduled' : 'queued';
  }
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

/** Cancelled and expired tasks are failed jobs to BullMQ; their failures tell them apart. */
function stateOfFailure(failure: TaskFailure | null): TaskState {
  if (isCancellation(failure)) return 'cancelled';
  return isExpiry(failure) ? 'expired' : 'failed';
}

/** Whether a task has ended although no worker has taken its job out of the queue yet. */
function isEnded(state: TaskState): boolean {
  return state === 'cancelled' || state === 'expired';
}

function endedEarly(state: TaskState, reason: string | undefined): TaskFailure | null {
  if (state === 'cancelled') return cancellation(reason);
  if (state === 'expired') return expiry();
  return null;
}
