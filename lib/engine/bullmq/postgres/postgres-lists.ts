import type { PgQueryable } from 'bullmq';
import { checkPosition, WHOLE_NUMBER } from '../../list-position.js';
import type { ListPosition, ListRequest, ListSizes, QueueFigures } from '../../ports/list-port.js';
import { isQueueOfTasks } from '../../task-id.js';
import type { JobLists, ListedJob } from '../driver.js';
import { queuedSince, type QueuedJob } from '../jobs/queued-since.js';
import { toFoundJob, type JobRow } from './job-rows.js';
import { FIGURES, orderedStatement, PARTS, QUEUE_NAMES, timedStatement } from './list-statements.js';

/** A row of a list, with the columns that give it its place. */
type ListRow = JobRow & Readonly<Record<string, unknown>>;

/** A row of {@link FIGURES}. A bigint is a text. */
interface FiguresRow extends Readonly<Record<keyof ListSizes, string>> {
  readonly paused: string | null;
  readonly first: string;
}

/** Reads BullMQ's lists on PostgreSQL. */
export class PostgresLists implements JobLists {
  constructor(private readonly queries: PgQueryable) {}

  async queueNames(): Promise<string[]> {
    const { rows } = await this.queries.query<{ name: string }>(QUEUE_NAMES);
    return rows.map(({ name }) => name).filter(isQueueOfTasks);
  }

  async list({ list, queues, after, count }: ListRequest): Promise<ListedJob[]> {
    // Only earlier versions of BullMQ moved the jobs of a paused queue, and only on Redis.
    if (list === 'paused') return [];
    const part = PARTS[list];
    if ('time' in part) {
      const position = after ? checkPosition(after, [0], 2, WHOLE_NUMBER).slice(0, 2) : [];
      const { rows } = await this.queries.query<ListRow>(timedStatement(part, after !== undefined), [
        ...[queues, count],
        ...position,
      ]);
      return rows.map((row) => toListedJob(row, [String(row[part.time]), row.id], Number(row[part.time])));
    }
    const { order } = part;
    const numbers = order.flatMap((column, index) => (column === 'id' ? [] : [index + 1]));
    const position = after
      ? checkPosition(after, numbers, order.length + 1, WHOLE_NUMBER).slice(0, order.length + 1)
      : [];
    const [first = ''] = position;
    const { rows } = await this.queries.query<ListRow>(orderedStatement(part, after !== undefined), [
      ...[queues.filter((name) => name >= first), count],
      ...position,
    ]);
    return rows.map((row) => toListedJob(row, [row.queue, ...order.map((column) => String(row[column]))]));
  }

  async figures(queues: readonly string[]): Promise<QueueFigures[]> {
    const { rows } = await this.queries.query<FiguresRow>(FIGURES, [queues]);
    return rows.map(({ paused, first, ...sizes }) => {
      const numbers = Object.entries(sizes).map(([list, size]) => [list, Number(size)] as const);
      return {
        isPaused: paused === '1',
        sizes: Object.fromEntries(numbers) as unknown as ListSizes,
        queuedSince: queuedSince(JSON.parse(first) as QueuedJob[]),
      };
    });
  }
}

function toListedJob(row: ListRow, position: ListPosition, time = 0): ListedJob {
  return { queue: row.queue, id: row.id, found: toFoundJob(row), position, time };
}
