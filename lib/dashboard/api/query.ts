import { InvalidArgumentsError } from '../../errors.js';
import type { TaskFilter } from '../../admin/task-filter.js';
import type { Duration } from '../../duration.js';
import type { TaskState } from '../../engine/task.js';

/** The parameters of a request, each of them once. */
export type Query = Readonly<Record<string, string>>;

/** @param query what the platform has parsed */
export function queryOf(query: unknown): Query {
  const entries = Object.entries((query ?? {}) as Record<string, unknown>);
  return Object.fromEntries(
    entries
      .map(([name, value]) => [name, Array.isArray(value) ? (value as unknown[])[0] : value] as const)
      .filter((entry): entry is [string, string] => typeof entry[1] === 'string' && entry[1] !== ''),
  );
}

const TEXTS = ['queue', 'state', 'name', 'args', 'error', 'runningFor', 'enqueuedAfter', 'enqueuedBefore'] as const;
const AGO = /^(\d+)([mhd])$/;
const UNITS = { m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/**
 * The filter of an address: the conditions of a `TaskFilter` by their names, `header.<name>` for headers, and `since=1h` for tasks
 * that were enqueued in the last hour.
 *
 * @throws InvalidArgumentsError
 */
export function filterOf(query: Query, now: number): TaskFilter {
  const header = Object.entries(query)
    .filter(([name]) => name.startsWith('header.'))
    .map(([name, value]) => [name.slice('header.'.length), value] as const);
  const texts = Object.fromEntries(TEXTS.flatMap((name) => (query[name] === undefined ? [] : [[name, query[name]]])));
  const since = query['since'];
  return {
    ...(texts as { state?: TaskState; runningFor?: Duration }),
    ...(header.length > 0 && { header: Object.fromEntries(header) }),
    ...(query['root'] === 'true' && { root: true }),
    ...(query['workflow'] === 'true' && { workflow: true }),
    ...(since !== undefined && { enqueuedAfter: now - agoOf(since) }),
  };
}

/** @throws InvalidArgumentsError */
export function agoOf(text: string): number {
  const [, amount, unit] = AGO.exec(text) ?? [];
  if (amount !== undefined && unit !== undefined) return Number(amount) * UNITS[unit as keyof typeof UNITS];
  throw new InvalidArgumentsError(
    `since is ${JSON.stringify(text)}. Give a number of minutes, hours or days: 15m, 1h, 7d.`,
  );
}

/** @throws InvalidArgumentsError */
export function numberOf(query: Query, name: string, [least, most]: readonly [number, number]): number | undefined {
  const text = query[name];
  if (text === undefined) return undefined;
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= least && value <= most) return value;
  throw new InvalidArgumentsError(`${name} is ${JSON.stringify(text)}. Give a whole number from ${least} to ${most}.`);
}
