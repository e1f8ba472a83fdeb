import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { LogLines } from '../support/log-lines.js';
import { postgresAt, transact } from '../support/outbox-database.js';
import { startPgBouncer } from '../support/front-servers.js';
import { freePrefix, startPostgres, type Server } from '../support/servers.js';
import { until } from '../support/until.js';
import { bootLife, LifeTasks, liveWholeLife } from '../support/whole-life.js';
import { tableScript } from '../../lib/transactions/outbox/outbox-table.js';

let server: Server;
let pooler: Server;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.close());
afterEach(() => pooler.close());

/** Another application that uses the same pooler all the time. It checks that its sessions are as they should be. */
async function withOtherClients(run: () => Promise<void>): Promise<void> {
  const pool = new pg.Pool({ connectionString: pooler.url, max: 5 });
  const texts = new Set<string>();
  const over = new AbortController();
  const look = async () => {
    while (!over.signal.aborted) {
      const { rows } = await pool.query<{ text: string }>(
        `SELECT current_setting('search_path') || ' ' || current_setting('default_transaction_isolation') || ' ' ||
           (SELECT count(*) FROM pg_listening_channels()) || ' ' || (SELECT count(*) FROM pg_locks
             WHERE locktype = 'advisory' AND pid = pg_backend_pid()) AS text`,
      );
      texts.add(rows[0]?.text ?? '');
    }
  };
  const looking = Promise.all(Array.from({ length: 5 }, look));
  try {
    await run();
  } finally {
    over.abort();
    await looking;
    await pool.end();
  }
  expect(texts).toEqual(new Set(['"$user", public read committed 0 0']));
}

describe.each(['session', 'transaction'] as const)('a PgBouncer in %s mode', (mode) => {
  it('the whole life of tasks works, and other clients of the pooler notice nothing', async () => {
    pooler = await startPgBouncer(server, { mode, poolSize: 30 });
    await withOtherClients(async () => {
      const booted = await bootLife({ connection: pooler.url });
      await liveWholeLife(booted);
      await booted.app.close();
    });
  });

  it('calls are stored in transactions of connections that lead through the pooler', async () => {
    pooler = await startPgBouncer(server, { mode, poolSize: 30 });
    const booted = await bootLife({ connection: server.url });
    const work = booted.queue.of(LifeTasks);
    const client = new pg.Client(pooler.url);
    await withOtherClients(async () => {
      await client.connect();
      await client.query('BEGIN');
      const handles = [];
      for (let number = 0; number < 20; number++) handles.push(await work.add.in(client).enqueue(number, number));
      const keyed = work.add.with({ idempotencyKey: `through ${mode}` }).in(client);
      handles.push(await keyed.enqueue(20, 20));
      await expect(keyed.enqueue(21, 21)).rejects.toThrow('through');
      await client.query('COMMIT');
      const results = await Promise.all(handles.map((handle) => handle.result({ timeout: '15s' })));
      expect(results).toEqual(Array.from({ length: 21 }, (_, number) => number * 2));
      await client.end();
    });
    await booted.app.close();
  });

  it("the whole life of tasks works with the application's own pool", async () => {
    pooler = await startPgBouncer(server, { mode, poolSize: 30 });
    const pool = new pg.Pool({ connectionString: pooler.url, max: 8 });
    const booted = await bootLife({ connection: pool });
    await liveWholeLife(booted);
    await booted.app.close();
    await pool.end();
  });

  it('calls in an outbox behind the pooler are moved, and other clients of the pooler hear of no commit', async () => {
    pooler = await startPgBouncer(server, { mode, poolSize: 30 });
    const database = postgresAt(server.url);
    await database.query(`DROP TABLE IF EXISTS task_outbox; ${tableScript('postgres')}`);
    const logger = new LogLines();
    await withOtherClients(async () => {
      const connection = `memory:${freePrefix()}`;
      const booted = await bootLife({ connection, outbox: { connection: pooler.url } }, logger);
      const { add } = booted.queue.of(LifeTasks);
      for (let number = 0; number < 3; number++) {
        const handle = await transact(database, (tx) => add.in(tx).enqueue(number, 1));
        await expect(handle.result({ timeout: '10s' })).resolves.toBe(number + 1);
      }
      await booted.app.close();
    });
    await database.close();
    expect(logger.lines.filter((line) => line.includes('outbox'))).toEqual([]);
  });

  it('tasks that one process enqueues run in another, and are cancelled from there', async () => {
    pooler = await startPgBouncer(server, { mode, poolSize: 30 });
    const prefix = `two_${mode}`;
    const worker = await bootLife({ connection: pooler.url, prefix });
    const web = await bootLife({ connection: pooler.url, prefix, role: 'producer' });
    const tasks = web.queue.of(LifeTasks);
    await expect((await tasks.add.enqueue(1, 2)).result({ timeout: '10s' })).resolves.toBe(3);
    const running = await tasks.wait.enqueue();
    for await (const { state } of running.updates()) if (state === 'running') break;
    await running.cancel();
    await expect(running.result({ timeout: '5s' })).rejects.toMatchObject({ code: 'TASK_CANCELLED' });
    await web.app.close();
    await worker.app.close();
  });

  it('a call that waits for a lock and is told that it failed stores nothing later', async () => {
    pooler = await startPgBouncer(server, { mode, poolSize: 30 });
    const prefix = `locked_${mode}`;
    const { app, queue } = await bootLife({ connection: pooler.url, prefix, role: 'producer', enqueueTimeout: '1s' });
    const { add } = queue.of(LifeTasks);
    const { id } = await add.enqueue(1, 1);
    const admin = new pg.Client(server.url);
    await admin.connect();
    await admin.query(`BEGIN; LOCK TABLE ${prefix}.job IN ACCESS EXCLUSIVE MODE`);
    await expect(add.enqueue(1, 2)).rejects.toMatchObject({ code: 'ENGINE_UNAVAILABLE' });
    await admin.query('COMMIT');
    const waiting = 'SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND query LIKE $1 AND state <> $2';
    await until(async () => (await admin.query(waiting, [`%${prefix}%`, 'idle'])).rows.length === 0);
    expect((await admin.query(`SELECT id FROM ${prefix}.job`)).rows).toEqual([{ id }]);
    await admin.end();
    await app.close();
  });

  it('the application does not boot with a setting that the pooler refuses, and the error names it', async () => {
    pooler = await startPgBouncer(server, { mode });
    const connection = { connectionString: pooler.url, statement_timeout: 5_000 };
    await expect(bootLife({ connection })).rejects.toMatchObject({
      code: 'CONFIGURATION',
      message: expect.stringMatching(/statement_timeout.*ALTER ROLE.*ignore_startup_parameters/),
    });
  });
});

describe('notifications behind a PgBouncer in transaction mode', () => {
  it.each([
    [1, 0],
    [2, 0],
    [2, 1],
    [20, 1],
  ])(
    'a process finds out that there are none, with %d connections to the server and server_round_robin = %d',
    async (poolSize, roundRobin) => {
      const settings = `server_round_robin = ${roundRobin}\nmin_pool_size = ${poolSize}`;
      pooler = await startPgBouncer(server, { mode: 'transaction', poolSize, settings });
      const lines = await linesOf({ connection: pooler.url });
      expect(lines.filter((line) => line.startsWith('WARN'))).toEqual([
        expect.stringMatching(/pooler in transaction mode.*TASK_QUEUE_DIRECT_URL/),
      ]);
      const { rows } = await listening();
      expect(rows).toEqual([]);
    },
  );

  it('a process listens on the direct URL', async () => {
    pooler = await startPgBouncer(server, { mode: 'transaction' });
    const lines = await linesOf({ connection: { connectionString: pooler.url, directUrl: server.url } });
    expect(lines.filter((line) => line.startsWith('WARN'))).toEqual([]);
  });

  it('a process behind a PgBouncer in session mode listens there', async () => {
    pooler = await startPgBouncer(server, { mode: 'session' });
    const lines = await linesOf({ connection: pooler.url });
    expect(lines.filter((line) => line.startsWith('WARN'))).toEqual([]);
  });

  /** The log lines of an application that runs a task. */
  async function linesOf(options: Parameters<typeof bootLife>[0]): Promise<string[]> {
    const logger = new LogLines();
    const { app, queue } = await bootLife(options, logger);
    const { add } = queue.of(LifeTasks);
    await expect((await add.enqueue(1, 2)).result({ timeout: '10s' })).resolves.toBe(3);
    await app.close();
    return logger.lines;
  }

  /** Connections of the server whose last statement was a LISTEN. */
  async function listening() {
    const admin = new pg.Client(server.url);
    await admin.connect();
    try {
      return await admin.query(`SELECT query FROM pg_stat_activity WHERE query LIKE 'LISTEN%'`);
    } finally {
      await admin.end();
    }
  }
});
