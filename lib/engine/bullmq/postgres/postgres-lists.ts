import type { PgQueryable } from 'bullmq';
import { checkPosition } from '../../list-position.js';
import {
  isOrderedByTime,
  type ListRequest,
  type ListSizes,
  type QueueFigures,
  type StoredList,
} from '../../ports/list-port.js';
import { isQueueOfTasks } from '../../task-id.js';
import type { JobLists, ListedJob } from '../driver.js';
import { queuedSince, type QueuedJob } from '../jobs/queued-since.js';
import { toFoundJob, type JobRow } from './job-rows.js';

/** A row of a list, with the columns that give it its place. */
type ListRow = JobRow & Readonly<Record<string, unknown>>;

/**
 * A list as a part of the table `job`. The first columns of its order are those of an index of BullMQ, so a page costs the same
 * however long the list is. Rows with the same time are sorted by id.
 */
interface Part {
  readonly where: string;
  /** The columns by which the rows of a queue are ordered. */
  readonly order: readonly string[];
  readonly isDescending?: true;
}

const BY_END = { order: ['finished_at_ms', 'id'], isDescending: true } as const;

const PARTS: Readonly<Record<Exclude<StoredList, 'paused'>, Part>> = {
  queued: { where: `state = 'waiting' AND priority = 0`, order: ['seq'] },
  prioritized: { where: `state = 'waiting' AND priority > 0`, order: ['priority', 'seq'] },
  delayed: { where: `state = 'delayed'`, order: ['process_at_ms', 'id'] },
  // No index has this order, but only as many tasks run as all workers take at once.
  running: { where: `state = 'active'`, order: ['processed_at_ms', 'id'] },
  waiting: { where: `state = 'waiting-children'`, order: ['seq'] },
  succeeded: { where: `state = 'completed'`, ...BY_END },
  failed: { where: `state = 'failed'`, ...BY_END },
};

/** Reads BullMQ's lists on PostgreSQL. */
export class PostgresLists implements JobLists {
  constructor(private readonly queries: PgQueryable) {}

  /**
   * The events of a queue outlive its tasks. A recursive query finds the next queue by the primary key, instead of reading all rows.
   */
  async queueNames(): Promise<string[]> {
    const { rows } = await this.queries.query<{ name: string }>(QUEUE_NAMES);
    return rows.map(({ name }) => name).filter(isQueueOfTasks);
  }

  async list({ list, queues, after, count }: ListRequest): Promise<ListedJob[]> {
    // Only earlier versions of BullMQ moved the jobs of a paused queue, and only on Redis.
    if (list === 'paused') return [];
    const part = PARTS[list];
    const isByTime = isOrderedByTime(list);
    const { order } = part;
    const numbers = order.flatMap((column, index) => (column === 'id' ? [] : [isByTime ? index : index + 1]));
    const position = after && checkPosition(after, numbers, isByTime ? order.length : order.length + 1);
    const [queue, ...keys] = isByTime || !position ? [undefined, ...(position ?? [])] : position;
    const left = queue === undefined ? queues : queues.filter((name) => name >= queue);
    const text = listStatement(part, isByTime, position !== undefined);
    const parameters = [left, count, ...(queue === undefined ? [] : [queue]), ...keys.slice(0, order.length)];
    const { rows } = await this.queries.query<ListRow>(text, parameters);
    return rows.map((row) => {
      const own = order.map((column) => String(row[column]));
      return {
        ...{ queue: row.queue, id: row.id, found: toFoundJob(row) },
        position: isByTime ? own : [row.queue, ...own],
      };
    });
  }

  async figures(queues: readonly string[]): Promise<QueueFigures[]> {
    const { rows } = await this.queries.query<FiguresRow>(FIGURES, [queues]);
    return rows.map(({ paused, first, ...sizes }) => ({
      isPaused: paused === '1',
      sizes: Object.fromEntries(
        Object.entries(sizes).map(([list, size]) => [list, Number(size)]),
      ) as unknown as ListSizes,
      queuedSince: queuedSince(JSON.parse(first) as QueuedJob[]),
    }));
  }
}

/** A bigint is a text. */
interface FiguresRow extends Readonly<Record<Exclude<StoredList, 'paused' | 'prioritized'>, string>> {
  readonly paused: string | null;
  readonly first: string;
}

/**
 * A statement for $2 rows of the queues $1. With a position, the next parameters are its queue, unless the list is ordered by
 * time, and the values of its columns.
 */
function listStatement({ where, order, isDescending }: Part, isByTime: boolean, hasPosition: boolean): string {
  const direction = isDescending ? 'DESC' : 'ASC';
  const columns = order.map(comparable);
  const sorted = columns.map((column) => `${column} ${direction}`).join(', ');
  return `
SELECT page.* FROM unnest($1::text[]) WITH ORDINALITY AS wanted (name, place)
CROSS JOIN LATERAL (
  SELECT * FROM job WHERE job.queue = wanted.name AND ${where} ${hasPosition ? behind() : ''}
   ORDER BY ${sorted} LIMIT $2::integer
) AS page
ORDER BY ${isByTime ? sorted : `place, ${sorted}`} LIMIT $2::integer`;

  function behind(): string {
    const values = order.map((column, index) => valueOf(column, index, isByTime));
    const sign = isDescending ? '<' : '>';
    // The first condition is the one that an index answers.
    return `AND ${order[0]} ${sign}= ${values[0]} AND (${columns.join(', ')}) ${sign} (${values.join(', ')})`;
  }
}

/** The value of a position in a column. A queue behind that of the position begins with its first row. */
function valueOf(column: string, index: number, isByTime: boolean): string {
  const type = column === 'id' ? 'text' : 'bigint';
  if (isByTime) return `$${3 + index}::${type}`;
  const least = column === 'id' ? `''` : `'-9223372036854775808'::bigint`;
  return `CASE WHEN wanted.name = $3::text THEN $${4 + index}::${type} ELSE ${least} END`;
}

/** Each count reads one index of BullMQ. The first rows are those of each priority of this package. */
const FIGURES = `
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

/** By bytes, whatever the collation of the database is. */
function comparable(column: string): string {
  return column === 'id' ? 'id COLLATE "C"' : column;
}

const QUEUE_NAMES = `
WITH RECURSIVE used (name) AS (
  (SELECT min(queue) FROM job)
  UNION ALL
  SELECT (SELECT min(queue) FROM job WHERE queue > used.name) FROM used WHERE used.name IS NOT NULL
), known (name) AS (
  (SELECT min(queue) FROM event)
  UNION ALL
  SELECT (SELECT min(queue) FROM event WHERE queue > known.name) FROM known WHERE known.name IS NOT NULL
)
SELECT name FROM used WHERE name IS NOT NULL UNION SELECT name FROM known WHERE name IS NOT NULL`;
