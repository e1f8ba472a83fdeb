import type { Json } from '../../engine/json.js';
import { isQueueName } from '../../engine/task-id.js';
import { InvalidArgumentsError } from '../../errors.js';
import type { TaskState } from '../../engine/task.js';
import type { Actor } from '../act-options.js';
import { checkFilter, wrong, type TaskFilter } from '../task-filter.js';

/** The acts on many tasks: each is a task of this name on the queue of the package for them. */
export const BULK_ACTS = ['retryAll', 'cancelAll', 'forgetAll', 'purge'] as const;

export type BulkActName = (typeof BULK_ACTS)[number];

/** What the task of a bulk act gets as its only argument. */
export interface BulkAct extends Actor {
  readonly act: BulkActName;
  readonly filter: TaskFilter;
  /** Tasks per second; without it, as fast as the engine allows. */
  readonly rate?: number;
}

/** The states of the tasks that an act is about, in the order in which they are taken. */
const STATES: Readonly<Record<BulkActName, readonly TaskState[]>> = {
  retryAll: ['failed'],
  // Whole workflows first: the cancel of a workflow cancels its members.
  cancelAll: ['waiting', 'scheduled', 'retrying', 'queued', 'running'],
  forgetAll: ['succeeded', 'failed', 'cancelled', 'expired'],
  purge: ['scheduled', 'queued'],
};

/** States that a filter may name beside those. */
const ALSO: Partial<Record<BulkActName, readonly TaskState[]>> = { retryAll: ['cancelled'] };

/**
 * Checks an act and makes it JSON.
 *
 * @throws InvalidArgumentsError
 */
export function checkBulkAct(act: BulkActName, filter: TaskFilter, rate: number | undefined, actor: Actor): BulkAct {
  const { lists: _ } = checkFilter(filter);
  const allowed = [...STATES[act], ...(ALSO[act] ?? [])];
  if (filter.state !== undefined && !allowed.includes(filter.state))
    throw wrong('filter.state', filter.state, `${act}() is about tasks that are ${allowed.join(', ')}.`);
  if (filter.runningFor !== undefined && !allowed.includes('running'))
    throw wrong('filter.runningFor', filter.runningFor, `${act}() is about tasks that are ${allowed.join(', ')}.`);
  if (rate !== undefined && !(typeof rate === 'number' && rate > 0 && rate <= FASTEST))
    throw wrong('rate', rate, `Give a number of tasks per second over 0, at most ${FASTEST}.`);
  return {
    act,
    filter: JSON.parse(JSON.stringify(filter)) as TaskFilter,
    ...actor,
    ...(rate !== undefined && { rate }),
  };
}

/** The largest rate in tasks per second. No engine performs more acts in a second. */
const FASTEST = 1_000_000;

/** The filters for the states of an act, one after the other. */
export function filtersOf({ act, filter }: BulkAct): TaskFilter[] {
  if (filter.runningFor !== undefined) return [{ ...filter, state: 'running' }];
  const states = filter.state === undefined ? STATES[act] : [filter.state];
  return states.map((state) => ({ ...filter, state }));
}

/** The stored argument of a bulk act; `undefined` for one that another program wrote. */
export function readBulkAct(args: readonly Json[] | undefined): BulkAct | undefined {
  const value = args?.[0] as Partial<BulkAct> | null | undefined;
  if (typeof value !== 'object' || value === null || !BULK_ACTS.includes(value.act as BulkActName)) return undefined;
  const { act, filter, rate, by, reason } = { filter: {}, by: 'unknown', reason: null, ...value } as BulkAct;
  if (act === 'purge' && !(typeof filter.queue === 'string' && isQueueName(filter.queue))) return undefined;
  try {
    return checkBulkAct(act, filter, rate, { by, reason });
  } catch (error) {
    if (error instanceof InvalidArgumentsError) return undefined;
    throw error;
  }
}
