import type { JobJson } from 'bullmq';
import { repeatedLoss } from '../../failures.js';
import { storableText } from '../../json.js';
import type { TaskFailure } from '../../task.js';
import { parse } from './job-data.js';
import { isObject, isTime } from './unreadable-job.js';

/** What a job stores of an attempt that failed. */
export interface FailedAttempt {
  readonly number: number;
  readonly started: number;
  readonly ended: number;
  readonly outcome: 'failed' | 'retry' | 'cancelled';
  readonly worker?: string | undefined;
  /** How many attempts were lost before this one. */
  readonly lost: number;
  /** See `Delivery.mark`. */
  readonly mark?: string;
  /** BullMQ keeps only the message of the last failure. */
  readonly message?: string;
}

/**
 * A failure as a job stores it. BullMQ keeps the message and the stack of an error; the other fields become one line of
 * JSON behind the stack.
 *
 * @param attempt `null`, the default, when a worker ended the task without calling its method
 * @param run how often a caller had run the task again when this run began; it is kept with the failure of a cancelled run
 */
export function writeFailure(
  failure: TaskFailure,
  attempt: Omit<FailedAttempt, 'message'> | null = null,
  run?: number,
): { message: string; stack: string } {
  const { name, code, exposable, member } = failure;
  const message = storableText(failure.message);
  const stack = storableText(failure.stack ?? `${name}: ${message}`);
  const kept = { name, code, exposable, member, run, attempt: attempt && { ...attempt, message } };
  return { message, stack: `${stack}\n${JSON.stringify(kept)}` };
}

/** The failure of a failed job, also of one that BullMQ or a foreign worker failed. */
export function readFailure(json: JobJson): TaskFailure {
  return lastFailure(json) ?? foreignFailure(json.failedReason || 'The job failed without a reason.');
}

/** The failure that {@link writeFailure} stored last; `null` when there is none. */
export function lastFailure(json: JobJson): TaskFailure | null {
  const last = lastStack(json);
  if (last === undefined || !json.failedReason || isAbandonment(json.failedReason)) return null;
  const { failure, isOwn } = readStack(last);
  return isOwn ? { ...failure, message: json.failedReason } : null;
}

/** The run in which a task was cancelled, as {@link writeFailure} stored it; `undefined` when the failure does not tell. */
export function runOfFailure(json: JobJson): number | undefined {
  const last = lastStack(json);
  return last === undefined ? undefined : readStack(last).run;
}

function lastStack({ stacktrace }: JobJson): string | undefined {
  const stacks = parse(stacktrace);
  const last: unknown = Array.isArray(stacks) ? stacks.at(-1) : undefined;
  return typeof last === 'string' ? last : undefined;
}

/** A stack that a job keeps. */
interface ReadStack {
  readonly failure: TaskFailure;
  /** `undefined` when the stack does not tell, `null` when the method was not called. */
  readonly attempt: FailedAttempt | null | undefined;
  /** See {@link runOfFailure}. */
  readonly run?: number;
  /** Whether this package wrote it. */
  readonly isOwn: boolean;
}

/** @param text any text: a foreign worker stores the stack alone */
export function readStack(text: string): ReadStack {
  const end = text.lastIndexOf('\n');
  const kept = parse(text.slice(end + 1));
  if (!isKept(kept))
    return { failure: { name: 'Error', ...messageIn(text), stack: text }, attempt: undefined, isOwn: false };
  const { attempt, run, ...fields } = kept;
  const stack = text.slice(0, end);
  return {
    failure: { ...fields, message: messageIn(stack).message, stack },
    attempt: attempt === null || isAttempt(attempt) ? attempt : undefined,
    ...(typeof run === 'number' && { run }),
    isOwn: true,
  };
}

/** The name and the message that the first line of a stack consists of. */
function messageIn(stack: string): { name?: string; message: string } {
  const [, name, message] = /^(?:(\w+): )?(.*)/.exec(stack) ?? [];
  return { ...(name !== undefined && { name }), message: message ?? '' };
}

/** The fields of a failure that the line of JSON behind its stack holds, and the attempt that failed. */
type Kept = Pick<TaskFailure, 'name' | 'code' | 'exposable' | 'member'> & {
  readonly attempt?: unknown;
  readonly run?: unknown;
};

function isAttempt(value: unknown): value is FailedAttempt {
  if (!isObject(value)) return false;
  const { number, started, ended, outcome, worker, lost, mark, message } = value;
  return (
    [number, lost].every((count) => Number.isInteger(count)) &&
    [started, ended].every(isTime) &&
    (outcome === 'failed' || outcome === 'retry' || outcome === 'cancelled') &&
    [worker, mark, message].every((text) => isAbsentOr('string', text))
  );
}

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
