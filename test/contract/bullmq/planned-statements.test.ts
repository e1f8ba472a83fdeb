import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import pg from 'pg';
import { Task } from 'nestjs-task-queue';
import { LANE } from '../../../lib/engine/bullmq/postgres/lane/lane-statement.js';
import { ADD_PLAIN_JOBS } from '../../../lib/engine/bullmq/postgres/plain-jobs.js';
import { boot, type Booted } from '../../support/boot.js';
import { commandLine } from '../../support/command-line.js';
import { LogLines } from '../../support/log-lines.js';
import { createDatabase, freePrefix } from '../../support/servers.js';
import { until } from '../../support/until.js';

@Injectable()
class Work {
  @Task()
  async echo(value: number): Promise<number> {
    return value;
  }
}

const PLANNED = [LANE, ADD_PLAIN_JOBS];
const NUMBERS = Array.from({ length: 100 }, (_, number) => [number] as [number]);

/** PostgreSQL alone: the embedded engine has one process and one role. */
describe('statements that the server plans once', () => {
  const role = freePrefix();
  const log = new LogLines();
  const booted: Booted[] = [];
  let prefix: string;
  let database: Awaited<ReturnType<typeof createDatabase>>;
  let admin: pg.Client;
  let ofRole: string;

  beforeAll(async () => {
    database = await createDatabase(process.env['TEST_POSTGRES_URL'] as string);
    ofRole = Object.assign(new URL(database.url), { username: role, password: 'secret' }).href;
    admin = new pg.Client(database.url);
    await admin.connect();
    await admin.query(`CREATE ROLE ${role} LOGIN PASSWORD 'secret'`);
    // The server counts the calls of functions.
    await admin.query(`ALTER DATABASE ${new URL(database.url).pathname.slice(1)} SET track_functions = 'all'`);
  });
  afterEach(async () => {
    await Promise.all(booted.splice(0).map(({ app }) => app.close()));
    log.lines.length = 0;
  });
  afterAll(async () => {
    await admin.end();
    await database.drop();
    const server = new pg.Client(process.env['TEST_POSTGRES_URL']);
    await server.connect();
    await server.query(`DROP ROLE ${role}`);
    await server.end();
  });

  const start = async (url = database.url) => {
    const one = await boot({ connection: url, prefix, queues: { default: { concurrency: 20 } } }, [Work], log);
    booted.push(one);
    return one;
  };
  const runSome = async ({ queue }: Booted) => {
    const handles = await queue.of(Work).echo.enqueueMany(NUMBERS);
    const results = await Promise.all(handles.map((handle) => handle.result({ timeout: '15s' })));
    expect(results).toEqual(NUMBERS.map(([number]) => number));
  };
  const functions = async () => {
    const { rows } = await admin.query<{ name: string }>(
      `SELECT proname AS name FROM pg_proc WHERE pronamespace = $1::regnamespace AND proname LIKE 'task\\_queue\\_%' ORDER BY proname`,
      [prefix],
    );
    return rows.map(({ name }) => name);
  };
  const warnings = () => log.lines.filter((line) => /^(WARN|ERROR)/.test(line));
  const drop = async () => {
    for (const { name, parameters } of PLANNED)
      await admin.query(`DROP FUNCTION IF EXISTS ${prefix}.${name}(${parameters})`);
  };
  /** The calls of the functions, once the sessions that made them have ended. */
  const calls = async () => {
    await Promise.all(booted.splice(0).map(({ app }) => app.close()));
    // A session counts its calls when it ends, which may be after its client has left.
    const others = `SELECT FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()`;
    await until(async () => (await admin.query(others)).rowCount === 0);
    const { rows } = await admin.query<{ name: string }>(
      'SELECT funcname AS name FROM pg_stat_user_functions WHERE schemaname = $1 AND funcname = ANY($2) AND calls > 0 ORDER BY 1',
      [prefix, PLANNED.map(({ name }) => name)],
    );
    return rows.map(({ name }) => name);
  };

  it('processes that start together on an empty database create each function once, and call it', async () => {
    prefix = freePrefix();
    const all = await Promise.all(Array.from({ length: 5 }, () => start()));
    expect(await functions()).toEqual(
      expect.arrayContaining([...PLANNED.map(({ name }) => name), 'task_queue_complete_1', 'task_queue_enqueue_1']),
    );
    expect(new Set(await functions()).size).toBe((await functions()).length);
    await Promise.all(all.map(runSome));
    expect(warnings()).toEqual([]);
    expect(await calls()).toEqual(PLANNED.map(({ name }) => name).toSorted());
  });

  it('another version of the package finds its own function as it was', async () => {
    prefix = freePrefix();
    await start();
    const theirs = LANE.name.replace(/.{8}$/, '00000000');
    await admin.query(
      `CREATE FUNCTION ${prefix}.${theirs}(${LANE.parameters}) RETURNS text LANGUAGE sql AS $$ SELECT 'theirs' $$`,
    );
    await drop();
    await runSome(await start());
    const call = `SELECT ${prefix}.${theirs}('', '{}', '{}', '{}', '{}', '{}', '{}', 0, 0, '', '{}', '{}', '{}') AS whose`;
    expect((await admin.query(call)).rows).toEqual([{ whose: 'theirs' }]);
    expect(await functions()).toEqual(expect.arrayContaining([theirs, LANE.name]));
  });

  describe('a role that may create nothing', () => {
    beforeAll(async () => {
      prefix = freePrefix();
      await start();
      expect(await commandLine(['migrate', '--url', database.url, '--prefix', prefix, '--grant', role])).toMatchObject({
        code: 0,
      });
    });
    const doctor = async () => (await commandLine(['doctor', '--url', ofRole, '--prefix', prefix])).out;

    it('runs tasks without the functions, and logs nothing of it; doctor names the cure', async () => {
      await drop();
      await runSome(await start(ofRole));
      expect(warnings()).toEqual([]);
      expect(await doctor()).toMatch(/warn +migrations +.*lacks functions[^]*npx nestjs-task-queue migrate/);
      expect(await functions()).not.toContain(LANE.name);
    });

    it('calls the functions that the command migrate has created', async () => {
      expect(await commandLine(['migrate', '--url', database.url, '--prefix', prefix])).toMatchObject({ code: 0 });
      expect(await doctor()).toMatch(/ok +migrations/);
      await runSome(await start(ofRole));
      expect(await calls()).toEqual(PLANNED.map(({ name }) => name).toSorted());
    });

    it('runs tasks when it may not call the functions', async () => {
      for (const { name, parameters } of PLANNED)
        await admin.query(`REVOKE EXECUTE ON FUNCTION ${prefix}.${name}(${parameters}) FROM PUBLIC`);
      await runSome(await start(ofRole));
      expect(warnings()).toEqual([]);
    });
  });

  it('functions that are dropped, or closed, under a running process: its tasks run, and the next start creates them', async () => {
    prefix = freePrefix();
    const one = await start();
    await runSome(one);
    await drop();
    await runSome(one);
    expect(warnings()).toEqual([]);
    await runSome(await start());
    expect(await functions()).toEqual(expect.arrayContaining(PLANNED.map(({ name }) => name)));
  });
});

describe('plans that were made for empty tables', () => {
  const JOBS = 50_000;
  const AT_ONCE = 20;
  /** The jobs that a call ends and takes, some of them read twice. */
  const MOST_READ = 20 * AT_ONCE;
  const prefix = freePrefix();
  let database: Awaited<ReturnType<typeof createDatabase>>;
  let client: pg.Client;

  beforeAll(async () => {
    database = await createDatabase(process.env['TEST_POSTGRES_URL'] as string);
    client = new pg.Client(database.url);
    await client.connect();
    await (await boot({ connection: database.url, prefix, role: 'producer' })).app.close();
    // A plan lives as long as nobody gathers statistics.
    for (const table of ['job', 'event'])
      await client.query(`ALTER TABLE ${prefix}.${table} SET (autovacuum_enabled = false)`);
  });
  afterAll(async () => {
    await client.end();
    await database.drop();
  });

  const tokens = (from: string) => Array.from({ length: AT_ONCE }, (_, place) => `${from}-${place}`);
  const call = ({ name }: { name: string }, values: readonly unknown[]) =>
    client.query<{ ended: string[] | null; taken: { id: string; lock_token: string }[] | null }>(
      `SELECT * FROM ${prefix}.${name}(${values.map((_, place) => `$${place + 1}`).join(', ')})`,
      [...values],
    );
  /** The rows of jobs and events that this session has read so far. */
  const read = async () => {
    const { rows } = await client.query<{ count: string }>(
      `SELECT sum(seq_tup_read + idx_tup_fetch) AS count FROM pg_stat_xact_user_tables WHERE schemaname = $1`,
      [prefix],
    );
    return Number(rows[0]?.count);
  };
  const readBy = async (run: () => Promise<unknown>) => {
    await client.query('BEGIN');
    const before = await read();
    await run();
    const count = (await read()) - before;
    await client.query('COMMIT');
    return count;
  };
  const columns = (name: string) =>
    ['', 'x', '{}', '', '1'].map((value, column) =>
      tokens(name)
        .map((id) => (column === 0 ? id : value))
        .join('\x1e'),
    );

  const order = `${prefix}.job_seq`;
  const take = async () => {
    const { rows } = await call(LANE, ['bulk', [], [], [], [], [], tokens('t'), 10, 30_000, 'w', [], [], []]);
    return rows[0]?.taken ?? [];
  };
  const end = async (taken: readonly { id: string; lock_token: string }[]) => {
    const [ids, locks] = [taken.map(({ id }) => id), taken.map(({ lock_token }) => lock_token)];
    const texts = ids.map(() => '1');
    const { rows } = await call(LANE, ['bulk', ids, locks, texts, texts, locks, [], 20, 30_000, 'w', [], [], []]);
    return rows[0]?.ended ?? [];
  };
  const expectFewRows = async (name: string) => {
    const add = () => call(ADD_PLAIN_JOBS, ['bulk', order, ...columns(name)]);
    expect(await readBy(add)).toBeLessThan(MOST_READ);
    let taken: Awaited<ReturnType<typeof take>> = [];
    expect(await readBy(async () => (taken = await take()))).toBeLessThan(MOST_READ);
    expect(taken).toHaveLength(AT_ONCE);
    let ended: readonly string[] = [];
    expect(await readBy(async () => (ended = await end(taken)))).toBeLessThan(MOST_READ);
    expect(ended).toHaveLength(AT_ONCE);
  };

  it('read no more rows once the tables have grown, nor does a plan that was made for large ones', async () => {
    // Both are planned now.
    await call(ADD_PLAIN_JOBS, ['empty', order, ...columns('first')]);
    await take();
    // The order of the rows on the disk is not that of the queue.
    await client.query(
      `INSERT INTO ${prefix}.job (queue, id, seq, name, state, priority, data, opts, max_attempts, added_at_ms)
       SELECT 'bulk', 'bulk-' || n, n, 'x', 'waiting', n % 5, '{}', '{}', 1, 1
       FROM (SELECT n FROM generate_series(1, $1::integer) AS n ORDER BY md5(n::text)) AS numbers`,
      [JOBS],
    );
    await client.query(
      `INSERT INTO ${prefix}.event (queue, event, created_at_ms) SELECT 'bulk', 'added', 1 FROM generate_series(1, 5000)`,
    );
    await expectFewRows('second');
    await client.query(`ANALYZE ${prefix}.job; ANALYZE ${prefix}.event`);
    await expectFewRows('third');
  });
});
