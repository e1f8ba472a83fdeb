import type { JobJson } from 'bullmq';
import { repeatedLoss } from '../../failures.js';
import { storableText } from '../../json.js';
import type { TaskFailure } from '../../task.js';
import { parse } from './job-data.js';
import { isObject } from './unreadable-job.js';

/**
 * A failure as a job stores it. BullMQ keeps the message and the stack of an error; the other fields become one line of
 * JSON behind the stack.
 */
export function writeFailure(failure: TaskFailure): { message: string; stack: string } {
  const { name, code, exposable, member } = failure;
  const message = storableText(failure.message);
  const stack = storableText(failure.stack ?? `${name}: ${message}`);
  return { message, stack: `${stack}\n${JSON.stringify({ name, code, exposable, member })}` };
}

/** The failure of a failed job, also of one that BullMQ or a foreign worker failed. */
export function readFailure(json: JobJson): TaskFailure {
  return lastFailure(json) ?? foreignFailure(json.failedReason || 'The job failed without a reason.');
}

/** The failure that {@link writeFailure} stored last; `null` when there is none. */
export function lastFailure(json: JobJson): TaskFailure | null {
  const stacks = parse(json.stacktrace);
  const last: unknown = Array.isArray(stacks) ? stacks.at(-1) : undefined;
  if (typeof last !== 'string' || !json.failedReason || isAbandonment(json.failedReason)) return null;
  const end = last.lastIndexOf('\n');
  const kept = parse(last.slice(end + 1));
  return isKept(kept) ? { ...kept, message: json.failedReason, stack: last.slice(0, end) } : null;
}

/** The fields of a failure that the line of JSON behind its stack holds. */
type Kept = Pick<TaskFailure, 'name' | 'code' | 'exposable' | 'member'>;

/** Whether a value has the types of {@link Kept}. Any text may stand behind the stack of a foreign worker's error. */
function isKept(value: unknown): value is Kept {
  if (!isObject(value)) return false;
  const { exposable, member } = value;
  return isNamed(value) && isAbsentOr('boolean', exposable) && (member === undefined || isMember(member));
}

function isMember(member: unknown): boolean {
  if (!isObject(member)) return false;
  const { id, task, position, error } = member;
  return (
    [id, task].every((text) => typeof text === 'string') &&
    typeof position === 'number' &&
    isObject(error) &&
    isNamed(error) &&
    typeof error['message'] === 'string'
  );
}

function isNamed({ name, code }: Record<string, unknown>): boolean {
  return typeof name === 'string' && isAbsentOr('string', code);
}

function isAbsentOr(type: string, value: unknown): boolean {
  return value === undefined || typeof value === type;
}

/** BullMQ's own words for a job whose process vanished more than once. */
const STALLED = /stalled more than allowable limit|started more than allowable limit/;

/** Whether BullMQ failed a job because the processes that ran it vanished. */
export function isAbandonment(failedReason: string): boolean {
  return STALLED.test(failedReason);
}

/** A failure that this package did not write. */
function foreignFailure(failedReason: string): TaskFailure {
  return isAbandonment(failedReason) ? repeatedLoss() : { name: 'Error', message: failedReason };
}
