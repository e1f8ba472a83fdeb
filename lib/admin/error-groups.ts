import { parseDuration, type Duration } from '../duration.js';
import type { Engine } from '../engine/engine.js';
import type { TaskRecord } from '../engine/task.js';
import { shapeOf, type ErrorShape } from './error-fingerprint.js';
import { checkFilter, timeOf, wrong } from './task-filter.js';
import type { TaskLists } from './task-lists.js';

/** The most failed tasks that are read. */
const WINDOW = 10_000;
/** The most failed tasks of one round trip. */
const READ_AT_ONCE = 200;
const MOST_GROUPS = 1_000;
const DURATION = /^[\d.]+(ms|s|m|h|d)$/;

export interface ErrorsOptions {
  /** The name of the queue. Default: all queues. */
  readonly queue?: string | undefined;
  /** Only tasks that failed since this time, or in the last `'1h'`. Default: all that are stored. */
  readonly since?: Date | string | number | undefined;
  /** The most errors, 1 to 1,000; default 50. */
  readonly limit?: number | undefined;
}

/** Tasks that failed with the same error, apart from numbers, ids and other variable parts. Times are ISO 8601 text in UTC. */
export interface ErrorGroup {
  /** For the condition `error` of a `TaskFilter`. */
  readonly fingerprint: string;
  readonly name: string;
  /** The message; `<number>`, `<id>`, `<value>` and `<url>` stand for the variable parts. */
  readonly message: string;
  readonly count: number;
  /** The times at which the first and the last of these tasks failed. */
  readonly first: string;
  readonly last: string;
  /** The task that failed last. */
  readonly example: { readonly id: string; readonly message: string };
  /** The names of the tasks. */
  readonly tasks: readonly string[];
}

/** What `TaskAdmin.errors()` found. */
export interface ErrorGroups {
  /** The most frequent error first. */
  readonly items: readonly ErrorGroup[];
  /** False when more tasks failed than one call reads: the counts are then those of the last 10,000. */
  readonly complete: boolean;
}

interface Group extends ErrorShape {
  count: number;
  first: number;
  readonly last: number;
  readonly example: ErrorGroup['example'];
  readonly tasks: Set<string>;
}

/**
 * Groups failed tasks by their errors. Reads a bounded number of them, the newest first.
 *
 * @throws InvalidArgumentsError
 * @throws EngineUnavailableError
 */
export async function readErrors(
  { queue, since, limit = 50 }: ErrorsOptions,
  { engine, lists }: { readonly engine: Pick<Engine, 'lists' | 'now'>; readonly lists: TaskLists },
): Promise<ErrorGroups> {
  if (!Number.isSafeInteger(limit) || limit < 1 || limit > MOST_GROUPS)
    throw wrong('limit', limit, `Give a whole number from 1 to ${MOST_GROUPS}.`);
  const { queue: checked } = checkFilter({ queue });
  const from = startOf(since, engine.now());
  const groups = new Map<string, Group>();
  const complete = await forEachFailed(await lists.queuesOf(checked), from, engine, (record) => add(record, groups));
  const items = [...groups.values()].toSorted((one, other) => other.count - one.count || other.last - one.last);
  return { items: items.slice(0, limit).map(toErrorGroup), complete };
}

/** @returns whether all tasks that failed since the time were read */
async function forEachFailed(
  queues: readonly string[],
  from: number,
  engine: Pick<Engine, 'lists'>,
  use: (record: TaskRecord) => void,
): Promise<boolean> {
  if (queues.length === 0) return true;
  const count = Math.max(Math.floor(READ_AT_ONCE / queues.length), 10);
  let after: readonly string[] | undefined;
  for (let read = 0; read < WINDOW; read += count) {
    const entries = await engine.lists.list({ list: 'failed', queues, after, count });
    for (const { record } of entries) {
      if (!record) continue;
      if ((record.finishedAt ?? from) < from) return true;
      if (record.state === 'failed') use(record);
    }
    if (entries.length < count) return true;
    after = entries.at(-1)?.position;
  }
  return false;
}

function add({ id, name, error, finishedAt }: TaskRecord, groups: Map<string, Group>): void {
  if (!error) return;
  const shape = shapeOf(error);
  const at = finishedAt ?? 0;
  const known = groups.get(shape.fingerprint);
  const group = known ?? {
    ...shape,
    count: 0,
    first: at,
    last: at,
    example: { id, message: error.message },
    tasks: new Set(),
  };
  group.count++;
  group.first = Math.min(group.first, at);
  group.tasks.add(name);
  groups.set(shape.fingerprint, group);
}

function toErrorGroup({ tasks, first, last, ...group }: Group): ErrorGroup {
  return {
    ...group,
    first: new Date(first).toISOString(),
    last: new Date(last).toISOString(),
    tasks: [...tasks].toSorted((one, other) => (one < other ? -1 : 1)),
  };
}

function startOf(since: ErrorsOptions['since'], now: number): number {
  if (typeof since === 'string' && DURATION.test(since)) return now - parseDuration(since as Duration, 'since');
  return timeOf(since, 'since', '') ?? -Infinity;
}
