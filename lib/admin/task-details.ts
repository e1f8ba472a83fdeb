import type { Engine } from '../engine/engine.js';
import type { Json } from '../engine/json.js';
import type { StoredCall } from '../engine/ports/list-port.js';
import type { CallOptions, TaskState } from '../engine/task.js';
import { TaskNotFoundError } from '../errors.js';
import { toTaskAttempt, type TaskAttempt } from './task-attempt.js';
import { childrenOf } from '../results/children.js';
import { toStatus, type TaskStatus } from '../results/task-status.js';
import { withProgress } from '../results/workflow-progress.js';

/** The most members of a workflow that are shown with it. */
const MOST_MEMBERS = 1_000;

/** A task with what HTTP hides, as `TaskAdmin.task()` shows it. Times are ISO 8601 text in UTC. */
export interface TaskDetails extends TaskStatus {
  readonly error: (NonNullable<TaskStatus['error']> & { readonly stack?: string }) | null;
  /** The arguments of the call; empty when they cannot be read. */
  readonly args: readonly Json[];
  readonly headers: Readonly<Record<string, string>>;
  /** The options that were stored with the call. All others come from the declaration of the task. */
  readonly options: StoredOptions;
  /** The steps of a chain or the members of a group, in order: up to 1,000. `handle.children()` has all of them. */
  readonly members: readonly TaskMember[];
  /** The id of the task that waits for this one; `null` outside of workflows, and of a whole workflow. */
  readonly parent: string | null;
  /** The id of the schedule whose run enqueued the task, by itself or through other tasks; `null` without one. */
  readonly schedule: string | null;
  /** The last attempts, oldest first, 20 at most. */
  readonly attempts: readonly TaskAttempt[];
  /** How many lines of the task's log are kept; `TaskAdmin.logs()` reads them. */
  readonly logLength: number;
}

/** The options of one call. Durations are milliseconds. */
export interface StoredOptions extends Omit<CallOptions, 'startAt' | 'expiresAt'> {
  /** The earliest time at which the task may start. */
  readonly startAt?: string;
  /** The time after which the task is no longer started. */
  readonly expiresAt?: string;
}

/** A member of a workflow. It has no name and no state while it is not stored yet, and when it is no longer stored. */
export interface TaskMember {
  readonly id: string;
  readonly name: string | null;
  readonly state: TaskState | null;
}

/**
 * Reads a task with its call and its members.
 *
 * @throws TaskNotFoundError
 */
export async function readDetails(
  id: string,
  engine: Pick<Engine, 'find' | 'countEndedMembers' | 'lists' | 'attempts' | 'readLog'>,
): Promise<TaskDetails> {
  const found = await engine.lists.details(id);
  if (!found) throw new TaskNotFoundError(id);
  const [record = found.record, children, attempts, log] = await Promise.all([
    withProgress(found.record, engine),
    childrenOf(found.record, engine, MOST_MEMBERS),
    engine.attempts(id),
    engine.readLog(id, 0, 0),
  ]);
  const details = toDetails(
    { ...found, record },
    children
      .slice(0, MOST_MEMBERS)
      .map((child) => ({ id: child.id, name: child.name ?? null, state: child.state ?? null })),
  );
  return { ...details, attempts: (attempts ?? []).map(toTaskAttempt), logLength: log?.kept ?? 0 };
}

function toDetails(
  { record, args, options, parent }: StoredCall,
  members: readonly TaskMember[],
): Omit<TaskDetails, 'attempts' | 'logLength'> {
  const status = toStatus(record);
  const { startAt, expiresAt, ...others } = options;
  const stack = record.error?.stack;
  return {
    ...status,
    error: status.error && { ...status.error, ...(stack !== undefined && { stack }) },
    args,
    headers: record.headers,
    options: {
      ...others,
      ...(startAt !== undefined && { startAt: new Date(startAt).toISOString() }),
      ...(expiresAt !== undefined && { expiresAt: new Date(expiresAt).toISOString() }),
    },
    members,
    parent: parent ?? null,
    schedule: record.headers['schedule'] ?? null,
  };
}
