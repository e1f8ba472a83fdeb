import { createHash, createHmac } from 'node:crypto';
import type { TaskCall, Uniqueness } from '../engine/task.js';
import type { StoredSchedule } from './stored-schedule.js';

/** The characters of base64url that 128 bits take. */
const ID_CHARACTERS = 22;

/**
 * The id of the task of a tick. All processes derive the same id, so a tick has one task. The id is an HMAC with a secret of the
 * store, because ids must not be guessable.
 */
export function idOfTick({ id, template }: StoredSchedule, tick: number, secret: string): string {
  const digest = createHmac('sha256', secret)
    .update(JSON.stringify([id, tick]))
    .digest('base64url');
  return `${template.queue}.${digest.slice(0, ID_CHARACTERS)}`;
}

/**
 * One call of a schedule's task. The task learns its schedule and its tick from the headers.
 *
 * @param tick `undefined` for a call of `runNow()`
 */
export function callOf(stored: StoredSchedule, id: string, tick: number | undefined, now: number): TaskCall {
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
    options: { ...options, ...(expires !== undefined && { expiresAt: now + expires }) },
    ...(unique && { unique }),
    ...(tick !== undefined && { isShared: true as const }),
  };
}

/**
 * With `overlap: 'skip'` the engine itself refuses a second run until the first one has ended, so that two processes
 * cannot disagree.
 */
function uniqueness({ id, overlap }: StoredSchedule, own: Uniqueness | undefined): Uniqueness | undefined {
  // A rule of the task that is at least as strict stays, because it also applies to the task's other callers.
  if (overlap === 'allow' || (own && own.while !== 'pending')) return own;
  const key = createHash('sha256')
    .update(JSON.stringify(['schedule', id]))
    .digest('base64url')
    .slice(0, 32);
  return { key, while: 'running' };
}
