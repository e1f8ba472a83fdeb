import { setTimeout as wait } from 'node:timers/promises';
import { Task, type TaskBatch } from 'nestjs-task-queue';
import pg from 'pg';
import type { Course, Row } from './harness/compare.js';
import type { Contenders, Place } from './harness/contender.js';
import { readable } from './harness/figures.js';
import { helper } from './harness/helper.js';
import { freePlace, Rival } from './harness/rival.js';
import { Latencies } from './one-database/latencies.js';
import { CREATE_TABLES, randomRow, WRITER, writeRow, writeRows, type NewRow } from './one-database/rows.js';
import { ServerWatch, type Watched } from './one-database/server-watch.js';
import { appAt } from './peers/apps.js';

const PRODUCERS = 20;
const PROCESSES = 4;
/** Tasks that the worker runs at once when each writes a row, and connections of the worker. */
const WRITERS = 4;
/** Batches that the worker runs at once. */
const BATCHES = 2;
const SIZE = 500;
/** Rows that each process writes before the measurement, so that its code is loaded and compiled. */
const WARM_UP = 500;
/** The code of the error with which PostgreSQL refuses a connection too many, and of a deadlock. */
const TOO_MANY = '53300';
const DEADLOCK = '40P01';

export const about =
  `${PRODUCERS} producers in ${PROCESSES} processes write rows with an index and two of 10 counters each into one PostgreSQL, as fast as they can (--rows=100000): ` +
  `in transactions of their own, as a task for each row (concurrency ${WRITERS}), and as a task with batches of ${SIZE} (${BATCHES} at once). ` +
  'The rate counts until all rows are in the table, and a call is the transaction, or enqueue(). Each process has written 500 rows before. ' +
  'Transactions change their counters in the order of the ids, so that none ends in a deadlock; the lines "not sorted" show 200 rows of them without that, and the line with 400 connections a tenth of the rows, because the server refuses most of them. The time that a batch waits for rows counts too.';

/** What the processes of one measurement need to know. */
interface Setting extends Place {
  readonly database: string;
  /** The rows of each process. */
  readonly rows: number;
  /** Callers of each producer; directly each has a connection. */
  readonly callers: number;
  readonly sorted: boolean;
  readonly task: 'single' | 'batch';
}

export const contenders: Contenders = {
  async direct(place) {
    const { database, callers, rows, sorted } = place as Setting;
    const pools = Array.from({ length: PRODUCERS / PROCESSES }, () => poolOf(database, callers));
    const latencies = new Latencies();
    let refused = 0;
    const write = async (pool: pg.Pool, row: NewRow): Promise<void> => {
      try {
        await withClient(pool, (client) => writeRow(client, row, sorted));
      } catch (error) {
        const { code } = error as { code?: string };
        if (code !== TOO_MANY && code !== DEADLOCK) throw error;
        if (code === TOO_MANY) {
          refused++;
          await wait(100);
        }
        await write(pool, row);
      }
    };
    const writeOne = (caller: number) => write(pools[caller % pools.length], randomRow());
    const callersOfAll = pools.length * callers;
    const warmUp = async () => {
      await share(WARM_UP, callersOfAll, writeOne);
      return {};
    };
    const produce = async () => {
      await share(rows, callersOfAll, (caller) => latencies.measure(() => writeOne(caller)));
      return latencies.figures;
    };
    return helper(() => endAll(pools), { steps: { warmUp, produce, refused: async () => ({ refused }) } });
  },

  async producer(place) {
    const { callers, rows, task } = place as Setting;
    const { app, queue } = await appAt(place, { role: 'producer' });
    const latencies = new Latencies();
    const store = queue.of<(row: NewRow) => void>(`Rows.${task}`);
    const callersOfAll = (PRODUCERS / PROCESSES) * callers;
    const enqueue = () => store.enqueue(randomRow());
    const warmUp = async () => {
      await share(WARM_UP, callersOfAll, enqueue);
      return {};
    };
    const produce = async () => {
      await share(rows, callersOfAll, () => latencies.measure(enqueue));
      return latencies.figures;
    };
    return helper(() => app.close(), { steps: { warmUp, produce, refused: async () => ({ refused: 0 }) } });
  },

  async worker(place) {
    const { database, sorted, task } = place as Setting;
    const pool = poolOf(database, WRITERS);
    class Single {
      @Task({ name: 'Rows.single', retries: 50, backoff: { type: 'fixed', delay: 20 }, ignoreResult: true })
      async write(row: NewRow): Promise<void> {
        await withClient(pool, (client) => writeRow(client, row, sorted));
      }
    }
    class Batched {
      @Task({ name: 'Rows.batch', batch: { size: SIZE, wait: '200ms' }, retries: 2, ignoreResult: true })
      async write(calls: TaskBatch<[NewRow]>): Promise<void> {
        const rows = calls.map(({ args: [row] }) => row);
        await withClient(pool, (client) => writeRows(client, rows));
      }
    }
    const concurrency = task === 'single' ? WRITERS : BATCHES;
    const { app } = await appAt(
      place,
      { role: 'worker', queues: { default: { concurrency } } },
      { providers: [task === 'single' ? Single : Batched] },
    );
    return helper(async () => {
      await app.close();
      await pool.end();
    });
  },
};

function poolOf(database: string, max: number): pg.Pool {
  const pool = new pg.Pool({ connectionString: database, max, application_name: WRITER });
  pool.on('error', () => undefined);
  return pool;
}

async function endAll(pools: readonly pg.Pool[]): Promise<void> {
  await Promise.all(pools.map((pool) => pool.end()));
}

async function withClient(pool: pg.Pool, work: (client: pg.PoolClient) => Promise<void>): Promise<void> {
  const client = await pool.connect();
  try {
    await work(client);
  } finally {
    client.release();
  }
}

/** Lets callers work at the same time, each on one row after the other, until all rows of the process have been taken. */
async function share(rows: number, callers: number, work: (caller: number) => Promise<unknown>): Promise<void> {
  let left = rows;
  await Promise.all(
    Array.from({ length: callers }, async (_, caller) => {
      while (left-- > 0) await work(caller);
    }),
  );
}

interface Measured extends Watched {
  readonly rate: number;
  readonly p50: number;
  readonly p99: number;
  readonly refused: number;
}

type Way = Pick<Setting, 'callers' | 'sorted'> & { readonly task?: Setting['task'] };

/** Rows that are written in no order: deadlocks, which PostgreSQL ends after a second each, leave two or three a second. */
const UNSORTED_SHARE = 0.002;
/** Rows that callers write who have more connections than the server allows: they wait for a connection most of the time. */
const REFUSED_SHARE = 0.1;
/** The connections that the server of the tests allows. */
const ALLOWED = 200;

async function measure(course: Course, store: 'redis' | 'postgres', { task, ...way }: Way): Promise<Measured> {
  const isRefused = task === undefined && PRODUCERS * way.callers > ALLOWED;
  const part = (way.sorted ? 1 : UNSORTED_SHARE) * (isRefused ? REFUSED_SHARE : 1);
  const all = course.option('rows', 100_000) * part;
  const rows = Math.round(all / PROCESSES);
  const database = await course.server('postgres');
  await createTables(database);
  const place = { ...freePlace(store, await course.server(store)), database, rows, task: task ?? 'single', ...way };
  const start = (name: string) => Rival.start(course.file, name, place, 0, course.profiles);
  const worker = task && (await start('worker'));
  const producers = await Promise.all(Array.from({ length: PROCESSES }, () => start(task ? 'producer' : 'direct')));
  if (way.sorted && !isRefused) await writeUntimed(database, producers);
  const watch = await ServerWatch.start(database);
  const begun = performance.now();
  const calls = producers.map((producer) => producer.step('produce'));
  await watch.untilWritten(rows * PROCESSES);
  const rate = (rows * PROCESSES * 1000) / (performance.now() - begun);
  const latencies = await Promise.all(calls);
  const refused = await Promise.all(producers.map((producer) => producer.step('refused')));
  const watched = await watch.end();
  for (const rival of [...producers, ...(worker ? [worker] : [])]) await rival.close();
  const [p50, p99] = [50, 99].map((percent) => Latencies.percentile(latencies, percent));
  return { ...watched, rate, p50, p99, refused: refused.reduce((sum, one) => sum + one['refused'], 0) };
}

/** Lets each process write rows that do not count. */
async function writeUntimed(database: string, producers: readonly Rival[]): Promise<void> {
  const watch = await ServerWatch.start(database);
  await Promise.all(producers.map((producer) => producer.step('warmUp')));
  await watch.untilWritten(WARM_UP * producers.length);
  await watch.end();
  await createTables(database);
}

async function createTables(database: string): Promise<void> {
  const client = new pg.Client(database);
  await client.connect();
  await client.query(CREATE_TABLES);
  await client.end();
}

/** As many callers as 20 direct writers with four connections each. */
const CALLERS = 4;

export async function run(course: Course): Promise<Row[]> {
  const direct = async (callers: number, sorted: boolean) => {
    const measured = await measure(course, 'postgres', { callers, sorted });
    const what = `directly, ${PRODUCERS} × ${callers} connections${sorted ? '' : ', not sorted'}`;
    return { measured, row: rowOf(what, measured) };
  };
  const writers = await direct(CALLERS, true);
  const rows = [(await direct(20, true)).row, writers.row, (await direct(1, false)).row];
  for (const store of ['redis', 'postgres'] as const) {
    const name = store === 'redis' ? 'Redis' : 'PostgreSQL';
    const measureTask = (task: Setting['task'], sorted: boolean) =>
      measure(course, store, { callers: CALLERS, sorted, task });
    if (store === 'redis') rows.push(rowOf(`${name}: a task a row, not sorted`, await measureTask('single', false)));
    const single = await measureTask('single', true);
    const batch = await measureTask('batch', true);
    rows.push(
      rowOf(`${name}: a task a row`, single),
      { ...rowOf(`${name}: batches of ${SIZE}`, batch), ...against('a task a row', single.rate, batch.rate, 'rows/s') },
      {
        what: `${name}: batches, call p99`,
        ours: `${readable(batch.p99)} ms`,
        peer: `80 direct writers: ${readable(writers.measured.p99)} ms`,
        ratio: (batch.p99 / writers.measured.p99).toFixed(3),
        must: 'at most 0.1',
        met: batch.p99 / writers.measured.p99 <= 0.1,
      },
      atMost(`${name}: batches, connections that write`, batch.writers, 5),
      atMost(`${name}: batches, deadlocks`, batch.deadlocks, 0),
    );
  }
  return rows;
}

/** A line with everything that was measured. */
function rowOf(what: string, measured: Measured): Row {
  const { rate, p50, p99, writers, connections, waiting, mostWaiting, deadlocks, refused } = measured;
  const details = [
    `call p50 ${readable(p50)} ms, p99 ${readable(p99)} ms`,
    `${writers} connections that write, ${connections} in all`,
    `${waiting.toFixed(1)} wait for locks, ${mostWaiting} at most`,
    `${deadlocks} deadlocks`,
    ...(refused > 0 ? [`${refused} connections refused`] : []),
  ];
  console.log(`${what}: ${readable(rate)} rows/s; ${details.join('; ')}`);
  return { what, ours: `${readable(rate)} rows/s`, peer: '', ratio: details.join('; '), must: '', met: undefined };
}

function against(peer: string, other: number, own: number, unit: string): Pick<Row, 'peer' | 'must' | 'met'> {
  return {
    peer: `${peer}: ${readable(other)} ${unit} (${(own / other).toFixed(2)})`,
    must: 'at least 5',
    met: own / other >= 5,
  };
}

function atMost(what: string, value: number, most: number): Row {
  return { what, ours: `${value}`, peer: '', ratio: '', must: `at most ${most}`, met: value <= most };
}
