import type { DeclaredCode } from '../engine/declared-code.js';
import type { TaskState } from '../engine/task.js';
import { fieldsOrNone, isTime } from './stored-record.js';
import type {
  AtTick,
  StoredEnd,
  StoredLast,
  StoredManualRun,
  StoredRun,
  StoredSkip,
  StoredVersion,
} from './stored-schedule.js';

/**
 * Readers of the records about runs. Each returns `undefined` for a record that this process cannot read: the schedule
 * runs without it, and only its status shows less.
 */

export function readRun(text: string | undefined): StoredRun | undefined {
  return toRun(fieldsOrNone(text));
}

function toRun({ task, at, count }: Readonly<Record<string, unknown>>): StoredRun | undefined {
  if (typeof task !== 'string' || !isTime(at) || !Number.isInteger(count)) return undefined;
  return { task, at, count: count as number };
}

export function readSkip(text: string | undefined): StoredSkip | undefined {
  return toSkip(fieldsOrNone(text));
}

function toSkip({ because, at }: Readonly<Record<string, unknown>>): StoredSkip | undefined {
  return typeof because === 'string' && isTime(at) ? { because, at } : undefined;
}

export function readLast(text: string | undefined): StoredLast {
  const { run, skip } = fieldsOrNone(text);
  return { run: atTick(run, toRun), skip: atTick(skip, toSkip) };
}

function atTick<T>(
  record: unknown,
  read: (fields: Readonly<Record<string, unknown>>) => T | undefined,
): AtTick<T> | undefined {
  if (typeof record !== 'object' || record === null) return undefined;
  const fields = record as Readonly<Record<string, unknown>>;
  const value = read(fields);
  return value && isTime(fields['tick']) ? { ...value, tick: fields['tick'] } : undefined;
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
  const { since, seen, code } = fieldsOrNone(text);
  return isTime(since) && isTime(seen) ? { since, seen, code: readCode(code) } : undefined;
}

function readCode(code: unknown): DeclaredCode | undefined {
  if (typeof code !== 'object' || code === null) return undefined;
  const { application, tasks, schedules } = code as Readonly<Record<string, unknown>>;
  if (!isNames(tasks) || !isNames(schedules)) return undefined;
  return { application: typeof application === 'string' ? application : undefined, tasks, schedules };
}

function isNames(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((name) => typeof name === 'string');
}
