import { Redis } from 'ioredis';
import { TaskAdmin, type TaskFilter } from 'nestjs-task-queue';
import pg from 'pg';
import type { Course, Row } from './harness/compare.js';
import type { Contenders, Place } from './harness/contender.js';
import { percentile, readable } from './harness/figures.js';
import { freePlace, Rival } from './harness/rival.js';
import { PAYLOAD, type Payload } from './harness/workload.js';
import { appAt } from './peers/apps.js';

export const about =
  'TaskAdmin on a store with very many tasks (`--tasks=1000000`) in one queue that waits, and as many failed ones in another: the time of a page of 50 tasks, and of the other calls.';

const TASKS = 1_000_000;
/** Calls that are measured for each kind. */
const TIMES = 50;
/** Milliseconds that a first page may take, at the 95th percentile. */
const AT_MOST = 50;
const AT_ONCE = 10_000;
/** Tasks that are due in the same millisecond. */
const DUE = 20_000;
/** Tasks of the pages before the page that is far from the beginning. */
const FAR_PAGE = 1_000;

/** Copies the only job of a queue until there are `count`, as fast as the server can, and lets them fail if they should. */
export async function multiply(
  { store, connection, prefix }: Place,
  queue: string,
  count: number,
  fail: boolean,
): Promise<void> {
  if (store === 'redis') {
    const redis = new Redis(connection);
    for (let from = 1; from < count; from += AT_ONCE)
      await redis.eval(
        COPY_JOB,
        0,
        `${prefix}:${queue}:`,
        from,
        Math.min(from + AT_ONCE, count),
        Date.now(),
        `${fail}`,
      );
    redis.disconnect();
    return;
  }
  const client = new pg.Client(connection);
  await client.connect();
  await client.query(
    `INSERT INTO ${prefix}.job (queue, id, seq, name, state, data, opts, max_attempts, added_at_ms, finished_at_ms, attempts_made,
       failed_reason, stacktrace)
     SELECT queue, queue || '.' || lpad(n::text, 22, '0'), nextval('${prefix}.job_seq'), name,
            CASE WHEN $3 THEN 'failed' ELSE state::text END::${prefix}.job_state, data, opts, max_attempts, added_at_ms + n / $4::bigint,
            CASE WHEN $3 THEN added_at_ms + n / $4::bigint END, CASE WHEN $3 THEN 1 ELSE 0 END,
            CASE WHEN $3 THEN 'Order ' || n || ' was refused' END, CASE WHEN $3 THEN '["Error: refused"]'::jsonb END
       FROM ${prefix}.job, generate_series(1, $2::integer - 1) AS n WHERE queue = $1`,
    [queue, count, fail, OF_A_MILLISECOND],
  );
  if (fail) await client.query(`DELETE FROM ${prefix}.job WHERE queue = $1 AND state <> 'failed'`, [queue]);
  await client.query(`VACUUM ANALYZE ${prefix}.job`);
  await client.end();
}

/** Tasks of one millisecond. */
const OF_A_MILLISECOND = 20;

const COPY_JOB = `
local list = ARGV[1] .. (ARGV[5] == 'true' and 'failed' or 'wait')
local first = redis.call('LRANGE', ARGV[1] .. 'wait', -1, -1)[1] or redis.call('ZRANGE', list, 0, 0)[1]
for n = tonumber(ARGV[2]), tonumber(ARGV[3]) - 1 do
  local id = string.match(string.sub(ARGV[1], 1, -2), '[^:]+$') .. '.' .. string.format('%022d', n)
  redis.call('COPY', ARGV[1] .. first, ARGV[1] .. id)
  if ARGV[5] == 'true' then
    local at = tonumber(ARGV[4]) - math.floor(n / ${OF_A_MILLISECOND})
    redis.call('HSET', ARGV[1] .. id, 'finishedOn', at, 'failedReason', 'Order ' .. n .. ' was refused', 'atm', 1)
    redis.call('ZADD', list, at, id)
  else
    redis.call('LPUSH', list, id)
  end
end`;

export const contenders: Contenders = {
  async TaskAdmin(place, count) {
    const { app, queue } = await appAt(place, { role: 'producer' });
    const admin = app.get(TaskAdmin);
    const send = queue.of<(mail: Payload) => void>('Mails.send');
    for (const name of ['failed', 'waiting']) {
      await send.with({ queue: name }).enqueue(PAYLOAD);
      await multiply(place, name, count, name === 'failed');
    }
    await send.with({ queue: 'due', delay: '1h' }).enqueueMany(Array.from({ length: DUE }, (): [Payload] => [PAYLOAD]));

    async function measure(call: () => Promise<unknown>): Promise<Record<'p50' | 'p95', number>> {
      const times: number[] = [];
      for (let n = -5; n < TIMES; n++) {
        const start = performance.now();
        await call();
        if (n >= 0) times.push(performance.now() - start);
      }
      return { p50: percentile(times, 50), p95: percentile(times, 95) };
    }

    /** A page in the middle of the list. */
    async function far(filter: TaskFilter): Promise<() => Promise<unknown>> {
      let cursor: string | null = null;
      for (let read = 0; read < count / 2; read += FAR_PAGE)
        ({ cursor } = await admin.tasks(filter, { cursor, limit: FAR_PAGE }));
      return () => admin.tasks(filter, { cursor });
    }

    const calls: Readonly<Record<string, () => Promise<unknown>>> = {
      'first page, queued': () => admin.tasks({ queue: 'waiting', state: 'queued' }),
      'first page, failed': () => admin.tasks({ queue: 'failed', state: 'failed' }),
      'first page, failed, all queues': () => admin.tasks({ state: 'failed' }),
      'first page, everything': () => admin.tasks(),
      'page of tasks due at the same time': () => admin.tasks({ queue: 'due', state: 'scheduled' }),
      'far page, queued': await far({ queue: 'waiting', state: 'queued' }),
      'far page, failed': await far({ queue: 'failed', state: 'failed' }),
      'page that finds nothing': () => admin.tasks({ queue: 'failed', state: 'failed', header: { owner: '7' } }),
      'queues()': () => admin.queues(),
      'errors()': () => admin.errors(),
    };
    return {
      async round() {
        const figures: Record<string, number> = {};
        for (const [name, call] of Object.entries(calls))
          for (const [percent, value] of Object.entries(await measure(call))) figures[`${name}|${percent}`] = value;
        return figures;
      },
      close: () => app.close(),
    };
  },
};

export async function run(course: Course): Promise<Row[]> {
  const count = course.option('tasks', TASKS);
  const rows: Row[] = [];
  for (const [what, store] of [
    ['Redis', 'redis'],
    ['PostgreSQL', 'postgres'],
  ] as const) {
    const rival = await Rival.start(course.file, 'TaskAdmin', freePlace(store, await course.server(store)), count);
    const figures = await rival.round();
    await rival.close();
    for (const name of new Set(Object.keys(figures).map((key) => key.split('|')[0]))) {
      const [p50, p95] = [figures[`${name}|p50`], figures[`${name}|p95`]];
      const hasTarget = name.startsWith('first page');
      rows.push({
        what: `${what}, ${count.toLocaleString('en')} waiting, as many failed: ${name}`,
        ours: `${readable(p50)} ms p50, ${readable(p95)} ms p95`,
        ...{ peer: '', ratio: '' },
        must: hasTarget ? `at most ${AT_MOST} ms p95` : '',
        met: hasTarget ? p95 <= AT_MOST : undefined,
      });
    }
  }
  return rows;
}
