import { parseDuration, type Duration } from '../duration.js';
import type { Json } from '../engine/json.js';
import type { ListEntry, StoredList } from '../engine/ports/list-port.js';
import type { TaskRecord, TaskState } from '../engine/task.js';
import { isQueueOfTasks } from '../engine/task-id.js';
import { InvalidArgumentsError } from '../errors.js';
import { isFingerprint, shapeOf } from './error-fingerprint.js';
import { maskSecrets } from './mask-secrets.js';
import { LISTS_OF_FAILED_WORKFLOWS, LISTS_OF_STATE, LISTS_WITH_ERRORS, type TaskOrder } from './lists-of-state.js';

/** Which tasks `TaskAdmin` shows or acts on. All conditions have to hold; a condition that is left out always holds. */
export interface TaskFilter {
  /** The name of the queue. Default: all queues but those of the package itself. */
  readonly queue?: string | undefined;
  readonly state?: TaskState | undefined;
  /** The name of the task, as `TaskStatus.name` has it. */
  readonly name?: string | undefined;
  /** Headers with exactly these values, for example `{ owner: '7' }`. */
  readonly header?: Readonly<Record<string, string>> | undefined;
  /**
   * Tasks whose arguments contain this text: their JSON, in capitals or not. It reads values that the dashboard and the command
   * line mask, such as a `password`, as `[masked]`. The store has no index of arguments, so a search reads the tasks of the page one by one.
   */
  readonly args?: string | undefined;
  /** Tasks that failed, or are retried, because of this error: a fingerprint from `TaskAdmin.errors()`. */
  readonly error?: string | undefined;
  /** Tasks that run, and whose current attempt began at least this long ago. */
  readonly runningFor?: Duration | undefined;
  /** Tasks that were enqueued at this time or later: a `Date`, text that `Date` can read, or milliseconds since 1970. */
  readonly enqueuedAfter?: Date | string | number | undefined;
  /** Tasks that were enqueued before this time. */
  readonly enqueuedBefore?: Date | string | number | undefined;
  /** Only tasks that no other task waits for: a workflow is one task then. */
  readonly root?: true | undefined;
  /** Only whole workflows: tasks that wait for other tasks, or waited for them, and that no other task waits for. */
  readonly workflow?: true | undefined;
}

/** A filter whose values were checked. */
export interface CheckedFilter {
  readonly queue: string | undefined;
  readonly root: boolean;
  /** The lists that have such tasks, in the order in which they are read. */
  readonly lists: readonly StoredList[];
  readonly order: TaskOrder;
  /** Whether some stored tasks of these lists do not match. */
  readonly isSelective: boolean;
  /** The same text for the same conditions. */
  readonly text: string;
  /** @param now the time of the store's clock */
  matches(task: FilteredTask, now: number): boolean;
}

/** What a filter reads of a stored task. The arguments are parsed only when a condition asks for them. */
export interface FilteredTask extends Pick<ListEntry, 'parent' | 'args'> {
  readonly record: TaskRecord;
}

type Condition = (task: FilteredTask, now: number) => boolean;

const KEYS: ReadonlySet<string> = new Set<keyof TaskFilter>([
  ...(['queue', 'state', 'name', 'header', 'args', 'error', 'runningFor'] as const),
  ...(['enqueuedAfter', 'enqueuedBefore', 'root', 'workflow'] as const),
]);

/** @throws InvalidArgumentsError with the condition and its value */
export function checkFilter(filter: TaskFilter): CheckedFilter {
  if (typeof filter !== 'object' || filter === null || Array.isArray(filter))
    throw wrong('filter', filter, `Give an object, for example { state: 'failed' }.`);
  for (const [key, value] of Object.entries(filter)) {
    if (value !== undefined && !KEYS.has(key))
      throw new InvalidArgumentsError(`filter.${key} is no condition. There are: ${[...KEYS].join(', ')}.`);
  }
  const queue = textOf(filter.queue, 'queue');
  if (queue !== undefined && !isQueueOfTasks(queue)) throw wrong('filter.queue', queue, 'Give the name of a queue.');
  for (const key of ['root', 'workflow'] as const) {
    const flag: unknown = filter[key];
    if (flag !== undefined && flag !== true)
      throw wrong(`filter.${key}`, flag, 'Give true, or leave it out for all tasks.');
  }
  const state = stateOf(filter);
  const values = {
    ...{ queue, state, root: filter.root, name: textOf(filter.name, 'name'), header: headerOf(filter.header) },
    ...{ workflow: filter.workflow, args: textOf(filter.args, 'args') },
    ...{ error: fingerprintOf(filter.error), runningFor: durationOf(filter.runningFor) },
    enqueuedAfter: timeOf(filter.enqueuedAfter, 'enqueuedAfter'),
    enqueuedBefore: timeOf(filter.enqueuedBefore, 'enqueuedBefore'),
  };
  const conditions = conditionsOf(values);
  const { lists, order } = placesOf(values);
  return {
    ...{ queue, root: filter.root === true || filter.workflow === true, lists, order },
    isSelective: conditions.length > (state === undefined ? 0 : 1),
    text: JSON.stringify(values),
    matches: (task, now) => conditions.every((holds) => holds(task, now)),
  };
}

interface CheckedValues {
  readonly state: TaskState | undefined;
  readonly name: string | undefined;
  readonly header: readonly (readonly [string, string])[] | undefined;
  readonly args: string | undefined;
  readonly error: string | undefined;
  readonly runningFor: number | undefined;
  readonly enqueuedAfter: number | undefined;
  readonly enqueuedBefore: number | undefined;
  readonly root: true | undefined;
  readonly workflow: true | undefined;
}

function conditionsOf(values: CheckedValues): Condition[] {
  const { state, name, header, args, error, runningFor, enqueuedAfter, enqueuedBefore, root, workflow } = values;
  const conditions: Condition[] = [];
  if (state !== undefined) conditions.push(({ record }) => record.state === state);
  if (name !== undefined) conditions.push(({ record }) => record.name === name);
  if (header) conditions.push(({ record }) => header.every(([key, value]) => record.headers[key] === value));
  if (error !== undefined)
    conditions.push(({ record }) => record.error !== null && shapeOf(record.error).fingerprint === error);
  if (runningFor !== undefined)
    conditions.push(({ record: { startedAt } }, now) => startedAt !== null && now - startedAt >= runningFor);
  if (enqueuedAfter !== undefined) conditions.push(({ record }) => record.enqueuedAt >= enqueuedAfter);
  if (enqueuedBefore !== undefined) conditions.push(({ record }) => record.enqueuedAt < enqueuedBefore);
  if (root || workflow) conditions.push(({ parent }) => parent === undefined);
  if (workflow) conditions.push(({ record }) => (record.members?.length ?? 0) > 0);
  // Last, because it alone parses the arguments.
  if (args !== undefined) conditions.push((task) => contains(task.args(), args));
  return conditions;
}

/** A search for parts of a secret must not find the task: each answer would tell more of it. */
function contains(args: readonly Json[], text: string): boolean {
  return JSON.stringify(maskSecrets(args)).toLowerCase().includes(text.toLowerCase());
}

function placesOf({ state, error, workflow }: Pick<CheckedValues, 'state' | 'error' | 'workflow'>): {
  lists: readonly StoredList[];
  order: TaskOrder;
} {
  if (state === 'failed' && workflow) return LISTS_OF_FAILED_WORKFLOWS;
  if (state !== undefined) return LISTS_OF_STATE[state];
  return error === undefined ? LISTS_OF_STATE.any : LISTS_WITH_ERRORS;
}

/** The state that a task has to have. A task that has run for some time runs. */
function stateOf({ state, runningFor }: TaskFilter): TaskState | undefined {
  if (
    state !== undefined &&
    !(typeof state === 'string' && Object.hasOwn(LISTS_OF_STATE, state) && (state as string) !== 'any')
  ) {
    const states = Object.keys(LISTS_OF_STATE).filter((name) => name !== 'any');
    throw wrong('filter.state', state, `Give one of: ${states.join(', ')}.`);
  }
  if (runningFor === undefined) return state;
  if (state === undefined || state === 'running') return 'running';
  throw wrong('filter.state', state, `Leave it out: filter.runningFor is about tasks that run.`);
}

function textOf(value: unknown, key: string): string | undefined {
  if (value === undefined || (typeof value === 'string' && value !== '')) return value;
  throw wrong(`filter.${key}`, value, 'Give a text.');
}

function headerOf(value: unknown): [string, string][] | undefined {
  if (value === undefined) return undefined;
  const entries = typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.entries(value) : [];
  if (entries.length === 0 || entries.some(([, text]) => typeof text !== 'string'))
    throw wrong('filter.header', value, `Give an object of texts, for example { owner: '7' }.`);
  return (entries as [string, string][]).toSorted(([one], [other]) => (one < other ? -1 : 1));
}

function fingerprintOf(value: unknown): string | undefined {
  const text = textOf(value, 'error');
  if (text === undefined || isFingerprint(text)) return text;
  throw wrong('filter.error', value, 'Give a fingerprint from errors().');
}

function durationOf(value: Duration | undefined): number | undefined {
  if (value === undefined) return undefined;
  try {
    return parseDuration(value, 'filter.runningFor');
  } catch (error) {
    throw new InvalidArgumentsError((error as Error).message);
  }
}

/** @throws InvalidArgumentsError */
export function timeOf(value: unknown, key: string, of = 'filter.'): number | undefined {
  if (value === undefined) return undefined;
  const isKnown = value instanceof Date || typeof value === 'string' || typeof value === 'number';
  const time = isKnown ? new Date(value).getTime() : Number.NaN;
  if (!Number.isNaN(time)) return time;
  throw wrong(of + key, value, `Give a Date, text such as '2026-11-27T03:00:00Z', or milliseconds since 1970.`);
}

/** @param what the parameter */
export function wrong(what: string, value: unknown, cure: string): InvalidArgumentsError {
  return new InvalidArgumentsError(`${what} is ${shown(value)}. ${cure}`);
}

function shown(value: unknown): string {
  if (typeof value === 'object' && value !== null && !(value instanceof Date)) {
    try {
      return (JSON.stringify(value) ?? 'an object').slice(0, 200);
    } catch {
      return 'an object';
    }
  }
  return typeof value === 'string' ? JSON.stringify(value.slice(0, 200)) : String(value);
}
