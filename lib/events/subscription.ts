import { isInternalQueue, isQueueOfTasks } from '../engine/task-id.js';
import type { TaskChange, TaskChangeType } from '../engine/ports/event-port.js';
import { isDutyTask } from '../engine/workflow-note.js';
import { ConfigurationError } from '../errors.js';
import { isContract } from '../tasks/task-contract.js';
import { definitionsOf } from '../tasks/task-definition.js';
import type { TaskOptions } from '../tasks/task-options.js';
import type { Subscription, TaskEventFilter } from './on-task.decorator.js';

const TYPES: ReadonlySet<TaskChangeType> = new Set([
  'enqueued',
  'started',
  'succeeded',
  'retrying',
  'failed',
  'cancelled',
  'expired',
  'lost',
]);
const FILTERS: ReadonlySet<string> = new Set<keyof TaskEventFilter>(['task', 'queue']);

/** A subscription whose values are checked. */
export interface CheckedSubscription {
  readonly types: ReadonlySet<TaskChangeType>;
  /** Whether the listener wants a change of one of these types. */
  readonly accepts: (change: TaskChange) => boolean;
}

/**
 * @param where the decorator, for errors
 * @param defaults the module's `defaults`, by which the tasks of a class get their names
 * @throws ConfigurationError naming the decorator, the value and the cure
 */
export function checkSubscription(
  { types, filter }: Subscription,
  where: string,
  defaults: TaskOptions,
): CheckedSubscription {
  if (types.length === 0) throw new ConfigurationError(`${where} has no type of event. ${listOfTypes()}`);
  for (const type of types) {
    if (!TYPES.has(type))
      throw new ConfigurationError(`${where} listens to ${JSON.stringify(type)}, which is no event. ${listOfTypes()}`);
  }
  const wanted = new Set(types);
  const names = namesOf(filter, where, defaults);
  const queue = queueOf(filter, where);
  return {
    types: wanted,
    accepts: ({ type, record }) =>
      wanted.has(type) &&
      (names === undefined || names.has(record.name)) &&
      (queue === undefined ? !isInternalQueue(record.queue) : record.queue === queue) &&
      !isDutyTask(record.name),
  };
}

function listOfTypes(): string {
  return `The events are ${[...TYPES].join(', ')}.`;
}

/** The names of the tasks; `undefined` for all tasks. */
function namesOf(filter: TaskEventFilter, where: string, defaults: TaskOptions): ReadonlySet<string> | undefined {
  const given: unknown = filter;
  if (typeof given !== 'object' || given === null) {
    throw new ConfigurationError(`The filter of ${where} is ${String(given)}. Use { task }, { queue } or both.`);
  }
  const unknown = Object.keys(given).filter((key) => !FILTERS.has(key));
  if (unknown.length > 0)
    throw new ConfigurationError(`${where} has no filter ${unknown.join(', ')}. Use { task }, { queue } or both.`);
  if (!('task' in given)) return undefined;
  const task = given.task;
  if (task === undefined) {
    throw new ConfigurationError(
      `The task of ${where} is undefined, because two files import each other, or the name is wrong. Give the name of the task as a text instead.`,
    );
  }
  if (typeof task === 'string' && task !== '') return new Set([task]);
  if (isContract(task)) return new Set([task.name, ...(task.options.aliases ?? [])]);
  if (typeof task !== 'function') {
    throw new ConfigurationError(
      `The task of ${where} is ${JSON.stringify(task)}. Give a class with tasks, a contract of defineTask(), or the name of a task.`,
    );
  }
  const definitions = [...definitionsOf(task, defaults).values()];
  if (definitions.length === 0) {
    throw new ConfigurationError(
      `The task of ${where} is the class ${task.name}, which has no tasks. Decorate its methods with @Task(), or give another class.`,
    );
  }
  return new Set(definitions.flatMap(({ name, aliases }) => [name, ...aliases]));
}

function queueOf({ queue }: TaskEventFilter, where: string): string | undefined {
  if (queue === undefined || (typeof queue === 'string' && isQueueOfTasks(queue))) return queue;
  throw new ConfigurationError(`The queue of ${where} is ${JSON.stringify(queue)}, which is no queue name.`);
}
