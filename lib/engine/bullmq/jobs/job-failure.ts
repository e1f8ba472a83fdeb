import type { JobJson } from 'bullmq';
import type { TaskFailure } from '../../engine.js';
import { storableText } from '../../json.js';
import { parse } from './job-data.js';

/**
 * BullMQ keeps an error's message and stack, both for people to read. What else is to survive goes behind the stack, as
 * a last line of JSON.
 */
export function writeFailure(failure: TaskFailure): { message: string; stack: string } {
  const { name, code, exposable, member } = failure;
  const message = storableText(failure.message);
  const stack = storableText(failure.stack ?? `${name}: ${message}`);
  return { message, stack: `${stack}\n${JSON.stringify({ name, code, exposable, member })}` };
}

export function readFailure(json: JobJson): TaskFailure {
  return lastFailure(json) ?? foreignFailure(json.failedReason || 'The job failed without a reason.');
}

export function lastFailure(json: JobJson): TaskFailure | null {
  const stacks = parse(json.stacktrace);
  const last: unknown = Array.isArray(stacks) ? stacks.at(-1) : undefined;
  if (typeof last !== 'string' || !json.failedReason || STALLED.test(json.failedReason)) return null;
  const end = last.lastIndexOf('\n');
  const kept = parse(last.slice(end + 1));
  if (typeof kept !== 'object' || kept === null || !('name' in kept)) return null;
  return {
    ...(kept as Pick<TaskFailure, 'name' | 'code' | 'exposable' | 'member'>),
    message: json.failedReason,
    stack: last.slice(0, end),
  };
}

/** BullMQ's own words when the process that ran a job vanished more than once. */
const STALLED = /stalled more than allowable limit|started more than allowable limit/;

export function isAbandonment(reason: string): boolean {
  return STALLED.test(reason);
}

/** A failure that this package did not write: BullMQ's own, or a foreign worker's. */
function foreignFailure(reason: string): TaskFailure {
  if (!STALLED.test(reason)) return { name: 'Error', message: reason };
  return {
    name: 'WorkerLostError',
    code: 'WORKER_LOST',
    message: 'The process that ran the task died or lost its connection, more than once. It is not run again.',
  };
}

export function cancellation(reason: string | undefined): TaskFailure {
  return {
    name: 'TaskCancelledError',
    message: reason ?? 'The task was cancelled.',
    code: 'TASK_CANCELLED',
    exposable: true,
  };
}

export function expiry(): TaskFailure {
  return {
    name: 'TaskExpiredError',
    message: 'The task was not started before its expiry time.',
    code: 'TASK_EXPIRED',
    exposable: true,
  };
}
