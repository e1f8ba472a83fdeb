import type { Duration } from '../duration.js';
import type { TaskEdit } from '../engine/ports/command-port.js';
import type { TaskDefinition } from '../tasks/task-definition.js';
import { checkPriority } from '../tasks/task-definition.js';
import { validateArguments } from '../tasks/validate-arguments.js';
import { ConfigurationError } from '../errors.js';
import { jsonArguments } from './json-arguments.js';
import { timeOf } from './call-options.js';

/** What `TaskAdmin.update()` changes of a task that has not started. */
export interface CallChange {
  /** All arguments, in order. */
  readonly args?: readonly unknown[];
  /** The earliest time at which the task may start: a duration from now, or a `Date`. 0: at once. */
  readonly delay?: Duration | Date;
  /** 0 to 9, higher first. The queue must have priorities. */
  readonly priority?: number;
}

export interface CallChangeContext {
  readonly name: string;
  readonly queue: string;
  /** `undefined` when this process does not declare the task: the worker checks the arguments then. */
  readonly definition: TaskDefinition | undefined;
  /** Bytes of JSON of the arguments. */
  readonly maxPayload: number;
  /** Whether the queue orders its tasks by priority. */
  readonly mayHavePriority: boolean;
  readonly now: number;
}

/**
 * Checks a change as `enqueue()` checks a call.
 *
 * @throws NotSerializableError, PayloadTooLargeError, InvalidArgumentsError, ConfigurationError
 */
export async function checkCallChange(change: CallChange, context: CallChangeContext): Promise<TaskEdit> {
  const { name, queue, definition, maxPayload, mayHavePriority, now } = context;
  const { args, delay, priority } = change;
  if (args !== undefined && !Array.isArray(args))
    throw new ConfigurationError(
      `update({ args }) of task "${name}" is ${typeof args}. Give the list of all arguments.`,
    );
  const json = args && jsonArguments(args, { path: 'args', task: name, maxPayload });
  if (json && definition) await validateArguments(definition, json);
  if (priority !== undefined && !mayHavePriority) {
    throw new ConfigurationError(
      `The priority of task "${name}" cannot be changed, because its queue "${queue}" has no priorities. Set queues: { ${queue}: { priorities: true } } in every process.`,
    );
  }
  return {
    ...(json && { args: json }),
    ...(delay !== undefined && { startAt: timeOf(delay, now, 'update({ delay })') }),
    ...(priority !== undefined && { priority: checkPriority(priority, 'update({ priority })') }),
  };
}
