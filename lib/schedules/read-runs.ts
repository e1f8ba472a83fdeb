import type { TaskState } from '../engine/task.js';
import { fieldsOrNone, isTime } from './stored-record.js';
import type { StoredEnd, StoredManualRun, StoredRun, StoredSkip, StoredVersion } from './stored-schedule.js';

/**
 * Readers of the records about runs. Each returns `undefined` for a record that this process cannot read: the schedule
 * runs without it, and only its status shows less.
 */

export function readRun(text: string | undefined): StoredRun | undefined {
  const { task, at, count } = fieldsOrNone(text);
  if (typeof task !== 'string' || !isTime(at) || !Number.isInteger(count)) return undefined;
  return { task, at, count: count as number };
}

export function readSkip(text: string | undefined): StoredSkip | undefined {
  const { because, at } = fieldsOrNone(text);
  return typeof because === 'string' && isTime(at) ? { because, at } : undefined;
}

export function readManualRun(text: string | undefined): StoredManualRun | undefined {
  const { task, at } = fieldsOrNone(text);
  return typeof task === 'string' && isTime(at) ? { task, at } : undefined;
}

export function readEnd(text: string | undefined): StoredEnd | undefined {
  const { task, state, finishedAt = null, error = null } = fieldsOrNone(text);
  if (typeof task !== 'string' || typeof state !== 'string') return undefined;
  if (finishedAt !== null && !isTime(finishedAt)) return undefined;
  return { task, state: state as TaskState, finishedAt, error: readError(error) };
}

function readError(error: unknown): StoredEnd['error'] {
  if (typeof error !== 'object' || error === null) return null;
  const { name, message, code } = error as Readonly<Record<string, unknown>>;
  if (typeof name !== 'string' || typeof message !== 'string') return null;
  return { name, message, ...(typeof code === 'string' && { code }) };
}

export function readVersion(text: string | undefined): StoredVersion | undefined {
  const { since, seen } = fieldsOrNone(text);
  return isTime(since) && isTime(seen) ? { since, seen } : undefined;
}
