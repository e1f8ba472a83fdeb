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
    attempt: state === 'running' ? task.attempts + 1 : task.attempts,
    maxAttempts: Math.max(options.attempts ?? 1, 1),
    enqueuedAt: task.enqueuedAt,
    startedAt: task.startedAt,
    finishedAt,
    expiresAt,
    headers: task.headers,
    ...(workflow && workflow.ranges.length > 0 && { members: workflow.ranges.map((range) => ({ ...range })) }),
    ...(workflow?.note !== undefined && { note: JSON.parse(workflow.note) as WorkflowNote }),
  };
}

export function stateOf(task: StoredTask, now: number): TaskState {
  switch (task.place) {
    case 'succeeded':
    case 'running':
    case 'waiting':
      return task.place;
    case 'failed':
    case 'removed':
      if (isCancellation(task.failure ?? null)) return 'cancelled';
      return isExpiry(task.failure ?? null) ? 'expired' : 'failed';
    default:
      // The members ended, and the task goes on soon.
      if (task.workflow?.members.length && task.starts > 0 && task.attempts === 0) return 'waiting';
      if (task.starts > 0) return 'retrying';
      if (hasExpiredUnstarted(task, now)) return 'expired';
      return task.place === 'delayed' && task.due > now ? 'scheduled' : 'queued';
  }
}

/** Whether the task has expired before a worker took it. A worker then only clears it away. */
export function hasExpiredUnstarted({ starts, options: { expiresAt } }: StoredTask, now: number): boolean {
  return starts === 0 && expiresAt !== undefined && expiresAt <= now;
}
