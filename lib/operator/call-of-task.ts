import type { TaskDetails } from '../admin/task-details.js';
import type { Engine } from '../engine/engine.js';
import type { Json } from '../engine/json.js';
import { memberIds } from '../engine/task-id.js';
import { EARLIER_GROUP_TASK, GROUP_TASK } from '../engine/workflow-note.js';
import { InvalidArgumentsError, TaskNotFoundError } from '../errors.js';

/** A failed attempt of a task: the call of its method, and the error. */
export interface CallOfTask {
  readonly id: string;
  readonly name: string;
  /** Those of the method: a step of a chain also has the result of the step before. */
  readonly args: readonly Json[];
  readonly headers: Readonly<Record<string, string>>;
  readonly attempt: number;
  readonly maxAttempts: number;
  readonly failedAt: string | null;
  readonly error: { readonly name: string; readonly message: string };
}

/**
 * The call with which a task failed.
 *
 * @throws TaskNotFoundError
 * @throws InvalidArgumentsError when the task has no error of its own
 */
export async function callOfTask(details: TaskDetails, engine: Pick<Engine, 'find'>): Promise<CallOfTask> {
  const { id, name, state, error, headers, attempt, maxAttempts, finishedAt } = details;
  if (error === null || (state !== 'failed' && state !== 'retrying')) {
    throw new InvalidArgumentsError(`Task ${name} (${id}) is ${state}. Give the id of a task that failed.`);
  }
  const record = await engine.find(id);
  if (!record) throw new TaskNotFoundError(id);
  const member = record.error?.member;
  if ((member && member.id !== id) || name === GROUP_TASK || name === EARLIER_GROUP_TASK) {
    const cure = member
      ? `Give the id of its member: ${member.id} (${member.task}).`
      : 'Give the id of one of its members.';
    throw new InvalidArgumentsError(`Task ${name} (${id}) has no error of its own. ${cure}`);
  }
  if (record.note?.each) {
    throw new InvalidArgumentsError(
      `Task ${name} (${id}) is a map: its method ran for several lists of arguments. Enqueue the list that fails as a task of its own.`,
    );
  }
  const [first] = record.note?.piped ? memberIds(id, record.members) : [];
  const input = first === undefined ? [] : [(await engine.find(first))?.result ?? null];
  return {
    ...{ id, name, headers, maxAttempts },
    attempt: Math.max(1, attempt),
    args: [...input, ...details.args],
    failedAt: finishedAt,
    error: { name: error.name, message: error.message },
  };
}
