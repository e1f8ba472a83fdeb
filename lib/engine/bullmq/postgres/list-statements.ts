import type { StoredList } from '../../ports/list-port.js';

/** A list as a part of the table `job`. An index of BullMQ answers the condition and the order. */
export type Part = TimedPart | OrderedPart;

/** A list that is ordered by a time. Rows with the same time are sorted by id. */
interface TimedPart {
  readonly where: string;
  readonly time: string;
  readonly isDescending?: true;
  /** Whether an index of this package has the ids of the rows with the same time in their order. */
  readonly hasIdsInIndex?: true;
}

/** A list that has an order in each queue. */
interface OrderedPart {
  readonly where: string;
  /** The columns by which the rows of a queue are ordered. */
  readonly order: readonly string[];
}

export const PARTS: Readonly<Record<Exclude<StoredList, 'paused'>, Part>> = {
  queued: { where: `state = 'waiting' AND priority = 0`, order: ['seq'] },
  prioritized: { where: `state = 'waiting' AND priority > 0`, order: ['priority', 'seq'] },
  delayed: { where: `state = 'delayed'`, time: 'process_at_ms', hasIdsInIndex: true },
  // No index has this order, but only as many tasks run as all workers take at once.
  running: { where: `state = 'active'`, order: ['processed_at_ms', 'id'] },
  waiting: { where: `state = 'waiting-children'`, order: ['seq'] },
  succeeded: { where: `state = 'completed'`, time: 'finished_at_ms', isDescending: true },
  failed: { where: `state = 'failed'`, time: 'finished_at_ms', isDescending: true },
};

/** By bytes, whatever the collation of the database is. */
const ID = 'id COLLATE "C"';

/**
 * A statement as that of {@link timedStatement}, for a list whose index has the ids too: it reads no more than the rows of the page
 * in each queue. The collation of the queue is that of the index. It keeps PostgreSQL from BullMQ's own index, which it would take, and
 * sort the list, as long as the table has no statistics.
 */
export function indexedStatement({ where, time }: TimedPart, hasPosition: boolean): string {
  return `
SELECT page.* FROM unnest($1::text[]) AS wanted (name)
CROSS JOIN LATERAL (
  SELECT * FROM job WHERE job.queue COLLATE "C" = wanted.name AND ${where}
     ${hasPosition ? `AND (${time}, ${ID}) > ($3::bigint, $4::text)` : ''}
   ORDER BY ${time}, ${ID} LIMIT $2::integer
) AS page
ORDER BY ${time}, ${ID} LIMIT $2::integer`;
}

/**
 * A statement for $2 rows of the queues $1, over all of them by time. With a position, they come behind the time $3 and the id $4.
 *
 * The part that reads the index asks for no other order than that of the index. Otherwise PostgreSQL sorts the whole list as long
 * as the table has no statistics. So it also gives all rows that have the same time as the last one.
 */
export function timedStatement({ where, time, isDescending }: TimedPart, hasPosition: boolean): string {
  const [direction, sign] = isDescending ? ['DESC', '<'] : ['ASC', '>'];
  const ofQueue = `SELECT * FROM job WHERE job.queue = wanted.name AND ${where}`;
  return `
SELECT page.* FROM unnest($1::text[]) AS wanted (name)
CROSS JOIN LATERAL (
  (${ofQueue} ${hasPosition ? `AND ${time} ${sign} $3::bigint` : ''}
   ORDER BY ${time} ${direction} FETCH FIRST ($2::integer) ROWS WITH TIES)
  ${hasPosition ? sameTime() : ''}
) AS page
ORDER BY ${time} ${direction}, ${ID} ${direction} LIMIT $2::integer`;

  function sameTime(): string {
    return `UNION ALL (${ofQueue} AND ${time} = $3::bigint AND ${ID} ${sign} $4::text
   ORDER BY ${ID} ${direction} LIMIT $2::integer)`;
  }
}

/**
 * A statement for $2 rows of the queues $1, one queue after the other. With a position, the next parameters are its queue and the
 * values of its columns. A queue behind that of the position begins with its first row.
 */
export function orderedStatement({ where, order }: OrderedPart, hasPosition: boolean): string {
  const columns = order.map((column) => (column === 'id' ? ID : column)).join(', ');
  const values = order.map((column, index) => {
    const [type, least] = column === 'id' ? ['text', `''`] : ['bigint', `'-9223372036854775808'::bigint`];
    return `CASE WHEN wanted.name = $3::text THEN $${4 + index}::${type} ELSE ${least} END`;
  });
  return `
SELECT page.* FROM unnest($1::text[]) WITH ORDINALITY AS wanted (name, place)
CROSS JOIN LATERAL (
  SELECT * FROM job WHERE job.queue = wanted.name AND ${where}
     ${hasPosition ? `AND (${columns}) > (${values.join(', ')})` : ''}
   ORDER BY ${columns} LIMIT $2::integer
) AS page
ORDER BY place, ${columns} LIMIT $2::integer`;
}

/** Each count reads one index of BullMQ. The first rows are those of each priority of this package. */
export const FIGURES = `
SELECT
  (SELECT value FROM meta WHERE queue = wanted.name AND field = 'paused') AS paused,
  (SELECT count(*) FROM job WHERE queue = wanted.name AND state = 'waiting') AS queued,
  (SELECT count(*) FROM job WHERE queue = wanted.name AND state = 'delayed') AS delayed,
  (SELECT count(*) FROM job WHERE queue = wanted.name AND state = 'active') AS running,
  (SELECT count(*) FROM job WHERE queue = wanted.name AND state = 'waiting-children') AS waiting,
  (SELECT count(*) FROM job WHERE queue = wanted.name AND state = 'completed') AS succeeded,
  (SELECT count(*) FROM job WHERE queue = wanted.name AND state = 'failed') AS failed,
  (SELECT coalesce(jsonb_agg(jsonb_build_object(
     'timestamp', added_at_ms, 'delay', opts -> 'delay', 'processedOn', processed_at_ms)), '[]')::text
     FROM generate_series(0, 10) AS level
     CROSS JOIN LATERAL (
       SELECT added_at_ms, opts, processed_at_ms FROM job
        WHERE queue = wanted.name AND state = 'waiting' AND priority = level ORDER BY seq LIMIT 1
     ) AS first_of_level) AS first
FROM unnest($1::text[]) WITH ORDINALITY AS wanted (name, place) ORDER BY place`;

/** How many tasks of the queue $1 wait, up to $2. */
export const COUNT_QUEUED = `
SELECT count(*) AS queued FROM (
  (SELECT 1 FROM job WHERE queue = $1 AND state = 'waiting' LIMIT $2::bigint)
  UNION ALL (SELECT 1 FROM job WHERE queue = $1 AND state = 'delayed' LIMIT $2::bigint)
  LIMIT $2::bigint
) AS tasks`;

/**
 * The events of a queue outlive its tasks, and a setting may be older than they are. Other metadata does not count: BullMQ stores
 * some as soon as a process has an object for a queue. A recursive query finds the next queue by the primary key, instead of reading all rows.
 */
export const QUEUE_NAMES = `
WITH RECURSIVE used (name) AS (
  (SELECT min(queue) FROM job)
  UNION ALL
  SELECT (SELECT min(queue) FROM job WHERE queue > used.name) FROM used WHERE used.name IS NOT NULL
), known (name) AS (
  (SELECT min(queue) FROM event)
  UNION ALL
  SELECT (SELECT min(queue) FROM event WHERE queue > known.name) FROM known WHERE known.name IS NOT NULL
), described (name) AS (
  (SELECT min(queue) FROM meta)
  UNION ALL
  SELECT (SELECT min(queue) FROM meta WHERE queue > described.name) FROM described WHERE described.name IS NOT NULL
)
SELECT name FROM used WHERE name IS NOT NULL
UNION SELECT name FROM known WHERE name IS NOT NULL
UNION SELECT name FROM described WHERE EXISTS (
  SELECT 1 FROM meta WHERE queue = described.name AND field IN ('paused', 'concurrency', 'max'))`;
