import { createHash } from 'node:crypto';
import type { TaskCall, Uniqueness } from '../engine/task.js';
import type { StoredSchedule } from './stored-schedule.js';

/**
 * One call of a schedule's task. Its headers tell the task which schedule and which tick it runs for.
 *
 * @param tick `undefined` when somebody asked for it
 */
export function callOf(stored: StoredSchedule, id: string, tick: number | undefined): TaskCall {
  const { expires, unique: own, options, ...call } = stored.template;
  const unique = uniqueness(stored, own);
  return {
    ...call,
    id,
    headers: {
      ...call.headers,
      schedule: stored.id,
      ...(tick !== undefined && { 'schedule-tick': new Date(tick).toISOString() }),
    },
    options: { ...options, ...(expires !== undefined && { expiresAt: Date.now() + expires }) },
    ...(unique && { unique }),
  };
}

/** The engine itself keeps a second run away while the first has not ended, so that no two processes can disagree. */
function uniqueness({ id, overlap }: StoredSchedule, own: Uniqueness | undefined): Uniqueness | undefined {
  // A rule of the task that is as strict counts for everybody who enqueues it.
  if (overlap === 'allow' || (own && own.while !== 'pending')) return own;
  const key = createHash('sha256')
    .update(JSON.stringify(['schedule', id]))
    .digest('base64url')
    .slice(0, 32);
  return { key, while: 'running' };
}
