import { expiry, isCancellation, isExpiry } from '../failures.js';
import type { Json } from '../json.js';
import { timeToLive, type Retention } from '../retention.js';
import type { TaskRecord, TaskState } from '../task.js';
import type { WorkflowNote } from '../workflow-note.js';
import { hasEnded, type StoredTask } from './stored-task.js';

/** The record of a stored task; `undefined` once its time to live is over. */
export function toRecord(task: StoredTask, retention: Retention, now: number): TaskRecord | undefined {
  const state = stateOf(task, now);
  const { options, workflow } = task;
  const note = noteOf(task);
  const hasExpired = state === 'expired' && !hasEnded(task);
  const finishedAt = hasExpired ? (options.expiresAt as number) : task.finishedAt;
  const expiresAt = hasExpired
    ? (finishedAt as number) + timeToLive(state, options.resultTtl, retention)
    : hasEnded(task)
      ? task.due
      : null;
  if (hasExpired && (expiresAt as number) <= now) return undefined;
  return {
    id: task.id,
    name: task.name,
    queue: task.queue,
    state,
    progress: task.progress === undefined ? null : (JSON.parse(task.progress) as Json),
    result: state === 'succeeded' && task.result !== undefined ? (JSON.parse(task.result) as Json) : null,
    error: hasExpired ? expiry() : state === 'succeeded' ? null : (task.failure ?? null),
    attempt: (state === 'running' ? task.attempts + 1 : task.attempts) + (note?.tried ?? 0),
    maxAttempts: Math.max(options.attempts ?? 1, 1),
    enqueuedAt: task.enqueuedAt,
    startedAt: task.starts > task.looks - task.returns ? task.startedAt : null,
    finishedAt,
    expiresAt,
    headers: task.headers,
    ...(workflow && workflow.ranges.length > 0 && { members: workflow.ranges.map((range) => ({ ...range })) }),
    ...(note && { note }),
    ...(workflow?.root !== undefined && workflow.root !== task.id && { root: workflow.root }),
    ...(workflow?.parent && workflow.onFailure !== 'wait' && { whole: workflow.parent.id }),
    ...(task.reruns > 0 && { reruns: task.reruns }),
  };
}

export function stateOf(task: StoredTask, now: number): TaskState {
  switch (task.place) {
    case 'running':
      return wasTakenExpired(task) ? 'expired' : 'running';
    case 'succeeded':
    case 'waiting':
      return task.place;
    case 'failed':
    case 'removed':
      if (isCancellation(task.failure ?? null)) return 'cancelled';
      return isExpiry(task.failure ?? null) ? 'expired' : 'failed';
    default:
      return waitingState(task, now);
  }
}

/** The state of a task that is in a queue, or will be at its time. */
function waitingState(task: StoredTask, now: number): TaskState {
  const { starts, looks, place } = task;
  const note = starts > 0 ? noteOf(task) : undefined;
  // The members ended, and the task gathers their results soon.
  const gathers = note?.group !== undefined || note?.replaced === true;
  if (gathers && task.workflow?.members.length && task.attempts === 0) return 'waiting';
  if (starts > looks) return 'retrying';
  if (hasExpiredUnstarted(task, now)) return 'expired';
  // It was shown as running while the worker had it, and a state never goes back to an earlier one.
  if (task.returns > 0 && !note && !task.workflow?.members.length) return 'retrying';
  if (place !== 'delayed' || task.due <= now) return 'queued';
  return looks === 0 || note?.delay !== undefined ? 'scheduled' : 'waiting';
}

function noteOf({ workflow }: StoredTask): WorkflowNote | undefined {
  return workflow?.note === undefined ? undefined : (JSON.parse(workflow.note) as WorkflowNote);
}

/** A worker that takes a task after it expired ends it without running it. */
function wasTakenExpired({ starts, looks, reruns, startedAt, options: { expiresAt } }: StoredTask): boolean {
  return reruns === 0 && expiresAt !== undefined && startedAt !== null && starts - looks <= 1 && startedAt >= expiresAt;
}

/**
 * Whether the task has expired before a worker took it. A worker then only clears it away. A task that a caller has run again does not
 * expire.
 */
export function hasExpiredUnstarted(
  { starts, looks, reruns, options: { expiresAt } }: StoredTask,
  now: number,
): boolean {
  return reruns === 0 && starts === looks && expiresAt !== undefined && expiresAt <= now;
}
