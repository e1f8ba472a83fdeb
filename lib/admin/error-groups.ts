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
const MOST_STEPS = 200;
const DURATION = /^[\d.]+(ms|s|m|h|d)$/;

export interface ErrorsOptions {
  /** The name of the queue. Default: all queues. */
  readonly queue?: string | undefined;
  /** Only tasks that failed since this time, or in the last `'1h'`. Default: all that are stored. */
  readonly since?: Date | string | number | undefined;
  /** The most errors, 1 to 1,000; default 50. */
  readonly limit?: number | undefined;
  /**
   * Divides the time from `since`, or from the first of these failures, until now into this number of equal steps, 1 to 200. Each
   * error then has `counts`. Default: no steps.
   */
  readonly steps?: number | undefined;
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
  /** How many of the tasks failed in each step, the earliest first. Only with the option `steps`. */
  readonly counts?: readonly number[];
}

/** What `TaskAdmin.errors()` found. */
export interface ErrorGroups {
  /** The most frequent error first. */
  readonly items: readonly ErrorGroup[];
  /** False when more tasks failed than one call reads: the counts are then those of the last 10,000. */
  readonly complete: boolean;
  /** The time that `counts` divide. Only with the option `steps`. */
  readonly range?: { readonly from: string; readonly to: string };
}

interface Group extends ErrorShape {
  count: number;
  first: number;
  readonly last: number;
  readonly example: ErrorGroup['example'];
  readonly tasks: Set<string>;
  /** When each of the tasks failed. */
  readonly times: number[];
}

/**
 * Groups failed tasks by their errors. Reads a bounded number of them, the newest first.
 *
 * @throws InvalidArgumentsError
 * @throws EngineUnavailableError
 */
export async function readErrors(
  { queue, since, limit = 50, steps }: ErrorsOptions,
  { engine, lists }: { readonly engine: Pick<Engine, 'lists' | 'now'>; readonly lists: TaskLists },
): Promise<ErrorGroups> {
  if (!Number.isSafeInteger(limit) || limit < 1 || limit > MOST_GROUPS)
    throw wrong('limit', limit, `Give a whole number from 1 to ${MOST_GROUPS}.`);
  if (steps !== undefined && !(Number.isSafeInteger(steps) && steps >= 1 && steps <= MOST_STEPS))
    throw wrong('steps', steps, `Give a whole number from 1 to ${MOST_STEPS}.`);
  const { queue: checked } = checkFilter({ queue });
  const now = engine.now();
  const from = startOf(since, now);
  const groups = new Map<string, Group>();
  const complete = await forEachFailed(await lists.queuesOf(checked), from, engine, (record) => add(record, groups));
  const sorted = [...groups.values()].toSorted((one, other) => other.count - one.count || other.last - one.last);
  const items = sorted.slice(0, limit);
  if (steps === undefined) return { items: items.map((group) => toErrorGroup(group)), complete };
  const first = Number.isFinite(from) ? from : sorted.reduce((least, group) => Math.min(least, group.first), now);
  const range = { from: first, to: Math.max(now, first + steps) };
  return {
    items: items.map((group) => ({ ...toErrorGroup(group), counts: countsOf(group.times, range, steps) })),
    complete,
    range: { from: new Date(range.from).toISOString(), to: new Date(range.to).toISOString() },
  };
}

function countsOf(times: readonly number[], { from, to }: { from: number; to: number }, steps: number): number[] {
  const counts = Array.from({ length: steps }, () => 0);
  for (const time of times) {
    const step = Math.min(Math.max(Math.floor(((time - from) / (to - from)) * steps), 0), steps - 1);
    counts[step] = (counts[step] as number) + 1;
  }
  return counts;
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
    times: [],
  };
  group.count++;
  group.first = Math.min(group.first, at);
  group.tasks.add(name);
  group.times.push(at);
  groups.set(shape.fingerprint, group);
}

function toErrorGroup({ fingerprint, name, message, count, example, tasks, first, last }: Group): ErrorGroup {
  return {
    ...{ fingerprint, name, message, count, example },
    first: new Date(first).toISOString(),
    last: new Date(last).toISOString(),
    tasks: [...tasks].toSorted((one, other) => (one < other ? -1 : 1)),
  };
}

function startOf(since: ErrorsOptions['since'], now: number): number {
  if (typeof since === 'string' && DURATION.test(since)) return now - parseDuration(since as Duration, 'since');
  return timeOf(since, 'since', '') ?? -Infinity;
}
