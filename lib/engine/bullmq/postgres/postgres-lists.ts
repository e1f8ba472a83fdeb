import type { PgQueryable } from 'bullmq';
import { checkPosition, WHOLE_NUMBER } from '../../list-position.js';
import type { ListPosition, ListRequest, ListSizes, QueueFigures } from '../../ports/list-port.js';
import { isQueueOfTasks } from '../../task-id.js';
import type { JobLists, ListedJob, ListedJobs } from '../driver.js';
import { queuedSince, type QueuedJob } from '../jobs/queued-since.js';
import { inBytes, type BoundedRow } from './bytes-of-jobs.js';
import { toFoundJob, type JobRow } from './job-rows.js';
import {
  COUNT_QUEUED,
  FIGURES,
  indexedStatement,
  orderedStatement,
  PARTS,
  QUEUE_NAMES,
  timedStatement,
} from './list-statements.js';

/** A row of a list, with the columns that give it its place. */
type ListRow = JobRow & BoundedRow & Readonly<Record<string, unknown>>;

/** A row of {@link FIGURES}. A bigint is a text. */
interface FiguresRow extends Readonly<Record<keyof ListSizes, string>> {
  readonly paused: string | null;
  readonly first: string;
}

/** Counted tasks from which on figures are used again. Below, counting takes no longer than a look-up. */
const MANY_TASKS = 100_000;
/** Tasks for which figures are used again for a millisecond: about twenty times as long as it takes to count them. */
const TASKS_PER_MILLISECOND = 200;
const FRESH_FOR_AT_MOST = 10_000;

/** The figures that were read last, of the queues of `key`. */
interface LastFigures {
  readonly key: string;
  readonly figures: Promise<QueueFigures[]>;
  /** Until when the figures are used again, by `performance.now()`. */
  freshUntil: number;
}

/** Reads BullMQ's lists on PostgreSQL. */
export class PostgresLists implements JobLists {
  private last: LastFigures | undefined;

  /** @param hasDelayedIndex whether the index of delayed-index.ts is there */
  constructor(
    private readonly queries: PgQueryable,
    private readonly hasDelayedIndex: () => boolean,
  ) {}

  async queueNames(): Promise<string[]> {
    const { rows } = await this.queries.query<{ name: string }>(QUEUE_NAMES);
    return rows.map(({ name }) => name).filter(isQueueOfTasks);
  }

  async list({ list, queues, after, count }: ListRequest): Promise<ListedJobs> {
    // Only earlier versions of BullMQ moved the jobs of a paused queue, and only on Redis.
    if (list === 'paused') return { jobs: [], isCut: false };
    const part = PARTS[list];
    if ('time' in part) {
      const position = after ? checkPosition(after, [0], 2, WHOLE_NUMBER).slice(0, 2) : [];
      const statement = part.hasIdsInIndex && this.hasDelayedIndex() ? indexedStatement : timedStatement;
      const { rows } = await this.queries.query<ListRow>(inBytes(statement(part, after !== undefined)), [
        ...[queues, count],
        ...position,
      ]);
      return listedJobs(rows, (row) => toListedJob(row, [String(row[part.time]), row.id], Number(row[part.time])));
    }
    const { order } = part;
    const numbers = order.flatMap((column, index) => (column === 'id' ? [] : [index + 1]));
    const position = after
      ? checkPosition(after, numbers, order.length + 1, WHOLE_NUMBER).slice(0, order.length + 1)
      : [];
    const [first = ''] = position;
    const { rows } = await this.queries.query<ListRow>(inBytes(orderedStatement(part, after !== undefined)), [
      ...[queues.filter((name) => name >= first), count],
      ...position,
    ]);
    return listedJobs(rows, (row) => toListedJob(row, [row.queue, ...order.map((column) => String(row[column]))]));
  }

  /** PostgreSQL counts by reading, so the figures of many tasks are used again for a while: counting never takes more than a part of the server. */
  figures(queues: readonly string[]): Promise<QueueFigures[]> {
    const key = queues.join();
    const { last } = this;
    if (last?.key === key && performance.now() < last.freshUntil) return last.figures;
    const read: LastFigures = { key, figures: this.readFigures(queues), freshUntil: 0 };
    read.figures.then(
      (figures) => {
        const tasks = figures.reduce((sum, { sizes }) => sum + Object.values(sizes).reduce((a, b) => a + b, 0), 0);
        if (tasks < MANY_TASKS) return;
        read.freshUntil = performance.now() + Math.min(tasks / TASKS_PER_MILLISECOND, FRESH_FOR_AT_MOST);
        this.last = read;
      },
      () => undefined,
    );
    return read.figures;
  }

  async countQueued(queue: string, most: number): Promise<number> {
    const { rows } = await this.queries.query<{ queued: string }>(COUNT_QUEUED, [queue, most]);
    return Number(rows[0]?.queued ?? 0);
  }

  private async readFigures(queues: readonly string[]): Promise<QueueFigures[]> {
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

function listedJobs(rows: readonly ListRow[], toJob: (row: ListRow) => ListedJob): ListedJobs {
  return { jobs: rows.map(toJob), isCut: Number(rows[0]?.of ?? 0) > rows.length };
}

function toListedJob(row: ListRow, position: ListPosition, time = 0): ListedJob {
  return { queue: row.queue, id: row.id, found: toFoundJob(row), position, time };
}
