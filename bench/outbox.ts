import { setTimeout as wait } from 'node:timers/promises';
import { OnTask, type TaskEvent } from 'nestjs-task-queue';
import pg from 'pg';
import { tableScript } from '../lib/transactions/outbox/outbox-table.js';
import type { Course, Row, Target } from './harness/compare.js';
import { median, percentile, perSecond } from './harness/figures.js';
import { freePlace } from './harness/rival.js';
import { PAYLOAD, type Payload } from './harness/workload.js';
import { appAt } from './peers/apps.js';

export const about =
  'Calls in transactions of PostgreSQL, moved by one relay to Redis, in the same process: the time from the commit until the task is stored, at 500 transactions a second, and the rate at which a relay moves what has gathered (--rows=100000, a call each).';

const RATE = 500;
const SECONDS = 10;
/** Milliseconds between two groups of transactions that begin together. */
const EVERY = 20;

/** The times at which this process has stored tasks, by their ids. */
class Stored {
  readonly at = new Map<string, number>();

  @OnTask('enqueued')
  note({ id }: TaskEvent): void {
    this.at.set(id, performance.now());
  }
}

/** @returns milliseconds from the answer to each COMMIT until its task was stored */
async function lags(redis: string, database: string): Promise<number[]> {
  const pool = new pg.Pool({ connectionString: database, max: 20 });
  const { app, queue } = await appAt(
    freePlace('redis', redis),
    { role: 'producer', outbox: { connection: database } },
    { providers: [Stored] },
  );
  const send = queue.of<(mail: Payload) => void>('Mails.send');
  const committed = new Map<string, number>();
  const transact = async () => {
    const client = await pool.connect();
    await client.query('BEGIN');
    const { id } = await send.in(client).enqueue(PAYLOAD);
    await client.query('COMMIT');
    committed.set(id, performance.now());
    client.release();
  };
  const running: Promise<void>[] = [];
  const begun = performance.now();
  for (let group = 0; group < (SECONDS * 1000) / EVERY; group++) {
    await wait(Math.max(begun + group * EVERY - performance.now(), 0));
    for (let index = 0; index < (RATE * EVERY) / 1000; index++) running.push(transact());
  }
  await Promise.all(running);
  const stored = app.get(Stored).at;
  while (stored.size < committed.size) await wait(5);
  await app.close();
  await pool.end();
  // Warming up does not count.
  return Array.from(committed, ([id, at]) => Math.max((stored.get(id) as number) - at, 0)).slice(RATE);
}

/** @returns rows that were moved in a second */
async function catchUp(redis: string, database: string, rows: number): Promise<number> {
  const client = new pg.Client(database);
  await client.connect();
  const place = freePlace('redis', redis);
  const call = { name: 'Mails.send', queue: 'default', args: [PAYLOAD], headers: {}, options: {} };
  await client.query(
    `INSERT INTO task_outbox (store, queue, calls, format, payload)
SELECT $1, 'default', 1, 1, replace($2, '<id>', 'default.' || lpad(n::text, 22, '0')) FROM generate_series(1, $3::integer) AS n`,
    [place.prefix, JSON.stringify({ calls: [{ id: '<id>', ...call }] }), rows],
  );
  await client.query('ANALYZE task_outbox');
  const { app } = await appAt(place, { role: 'producer', outbox: { connection: database } });
  const begun = performance.now();
  const isEmpty = async () => (await client.query('SELECT 1 FROM task_outbox LIMIT 1')).rowCount === 0;
  while (!(await isEmpty())) await wait(20);
  const rate = perSecond(rows, begun);
  await app.close();
  await client.end();
  return rate;
}

export async function run({ rounds, server, option }: Course): Promise<Row[]> {
  const [redis, database] = await Promise.all([server('redis'), server('postgres')]);
  const client = new pg.Client(database);
  await client.connect();
  await client.query(tableScript('postgres'));
  await client.end();
  const waits: { p50: number; p99: number }[] = [];
  const rates: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const measured = await lags(redis, database);
    waits.push({ p50: median(measured), p99: percentile(measured, 99) });
    rates.push(await catchUp(redis, database, option('rows', 100_000)));
  }
  return [
    row(
      `lag at ${RATE} calls/s, p50`,
      waits.map(({ p50 }) => p50),
      'ms',
    ),
    row(
      `lag at ${RATE} calls/s, p99`,
      waits.map(({ p99 }) => p99),
      'ms',
      { atMost: 100 },
    ),
    row('catching up', rates, 'calls/s', { atLeast: 5_000 }),
  ];
}

function row(what: string, values: readonly number[], unit: string, target?: Target): Row {
  const middle = median(values);
  const shown = (value: number) => Math.round(value).toLocaleString('en');
  const { atMost = Infinity, atLeast = 0 } = (target ?? {}) as { atMost?: number; atLeast?: number };
  return {
    what,
    ours: `${shown(middle)} ${unit}`,
    peer: '',
    ratio: `${shown(Math.min(...values))} to ${shown(Math.max(...values))}`,
    must: target ? ('atMost' in target ? `at most ${atMost}` : `at least ${atLeast}`) : '',
    met: target && middle <= atMost && middle >= atLeast,
  };
}
