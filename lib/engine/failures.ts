import {
  TaskCancelledError,
  TaskExpiredError,
  TaskNotFoundError,
  UnreadableTaskError,
  WorkerLostError,
  type TaskQueueError,
} from '../errors.js';
import type { TaskFailure } from './task.js';

/**
 * The failures that this package itself gives a task. Name, code and text come from the error classes in errors.ts, so
 * each is written once, whether a worker, an engine or a handle speaks of it.
 */
export function failureOf(
  { name, code, message }: TaskQueueError,
  extra: Pick<TaskFailure, 'exposable' | 'member'> = {},
): TaskFailure {
  return { name, message, code, ...extra };
}

/** A caller cancelled the task. @param reason what the caller said */
export function cancellation(reason: string | undefined): TaskFailure {
  return failureOf(new TaskCancelledError(reason), { exposable: true });
}

/** The task was not started before its expiry time. */
export function expiry(): TaskFailure {
  return failureOf(new TaskExpiredError(), { exposable: true });
}

/** How often the processes that run a task may die before it is not run again. */
export const DEATHS_ALLOWED = 1;

/** Processes that ran the task died, so often that it is not run again. */
export function repeatedLoss(): TaskFailure {
  return failureOf(
    new WorkerLostError(
      'The process that ran the task died or lost its connection, more than once. It is not run again.',
    ),
  );
}

/** What is stored of the task cannot be read. @param reason the field and what is wrong with it */
export function unreadable(reason: string): TaskFailure {
  return failureOf(new UnreadableTaskError(reason));
}

/** The record of a member was removed before the whole workflow looked at it. */
export function removedMember(id: string): TaskFailure {
  return { ...failureOf(new TaskNotFoundError(id)), message: 'It was removed before it ended.' };
}

const CANCELLED: TaskCancelledError['code'] = 'TASK_CANCELLED';
const EXPIRED: TaskExpiredError['code'] = 'TASK_EXPIRED';

export function isCancellation(failure: TaskFailure | null): boolean {
  return failure?.code === CANCELLED;
}

/**
 * Whether a task failed by itself, and not because a member failed or a caller cancelled it. Such a failure is the first of its
 * workflow, so it is reported to all tasks that wait for it.
 */
export function failsByItself(id: string, failure: TaskFailure): boolean {
  return !isCancellation(failure) && (failure.member === undefined || failure.member.id === id);
}

export function isExpiry(failure: TaskFailure | null): boolean {
  return failure?.code === EXPIRED;
}
