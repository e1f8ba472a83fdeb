import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import type { TaskQueueOptions } from 'nestjs-task-queue';
import { startPostgres, type Server } from '../support/servers.js';
import { bootLife, LifeTasks, liveWholeLife } from '../support/whole-life.js';

let server: Server;
let admin: pg.Client;
beforeAll(async () => {
  server = await startPostgres();
  admin = new pg.Client(server.url);
  await admin.connect();
});
afterAll(async () => {
  await admin.end();
  await server.close();
});

/** Boots an application, which makes the tables, and runs tasks. */
async function works(connection: TaskQueueOptions['connection'], check?: () => Promise<void>): Promise<void> {
  const booted = await bootLife(connection === undefined ? {} : { connection });
  try {
    await liveWholeLife(booted);
    await check?.();
  } finally {
    await booted.app.close();
  }
}

const SETTINGS = {
  'a search path': '-c search_path=pg_catalog',
  'serializable transactions': '-c default_transaction_isolation=serializable',
  'repeatable reads': '-c default_transaction_isolation=repeatable\\ read',
  'forms of dates and texts':
    '-c datestyle=German,DMY -c timezone=Pacific/Apia -c intervalstyle=sql_standard -c bytea_output=escape -c extra_float_digits=-5',
};

describe('settings of the connection', () => {
  afterEach(() => void delete process.env['PGOPTIONS']);

  it.each(Object.entries(SETTINGS))('tasks run with %s in a URL', async (_, options) => {
    await works(`${server.url}?options=${encodeURIComponent(options)}`);
  });

  it('tasks run with settings in PGOPTIONS', async () => {
    process.env['PGOPTIONS'] = Object.values(SETTINGS).join(' ');
    await works(server.url);
  });

  it('tasks run with settings of the role', async () => {
    await admin.query(`CREATE ROLE odd LOGIN SUPERUSER`);
    for (const setting of ['search_path TO nowhere', "default_transaction_isolation TO 'serializable'"]) {
      await admin.query(`ALTER ROLE odd SET ${setting}`);
    }
    await admin.query(`ALTER ROLE odd SET datestyle TO 'SQL, DMY'`);
    await works(server.url.replace('postgres@', 'odd@'));
  });

  it('two applications that start at the same time share the tables, with serializable transactions', async () => {
    const connection = { connectionString: server.url, options: SETTINGS['serializable transactions'] };
    const prefix = `together_${process.pid}`;
    const [one, other] = await Promise.all([bootLife({ connection, prefix }), bootLife({ connection, prefix })]);
    const adding = other.queue.of(LifeTasks).add.enqueueMany(Array.from({ length: 50 }, () => [1, 1] as const));
    await one.queue.of(LifeTasks).add.enqueueMany(Array.from({ length: 50 }, () => [1, 1] as const));
    await Promise.all((await adding).map((handle) => handle.result({ timeout: '15s' })));
    await Promise.all([one.app.close(), other.app.close()]);
  });

  it('the settings of the application stay in force', async () => {
    const options = '-c work_mem=3MB';
    const connection = { connectionString: server.url, options, application_name: 'shop', statement_timeout: 20_000 };
    await works({ ...connection, lock_timeout: 10_000, idle_in_transaction_session_timeout: 10_000 }, async () => {
      const { rows } = await admin.query(`SELECT 1 FROM pg_stat_activity WHERE application_name = 'shop'`);
      expect(rows.length).toBeGreaterThan(0);
    });
  });
});

describe('options of pg', () => {
  it.each([
    ['binary', { binary: true }],
    ['pipeline', { pipeline: true }],
    ['max, keepAlive, query_timeout', { max: 1, keepAlive: false, query_timeout: 15_000, idleTimeoutMillis: 0 }],
    ['types', { types: { getTypeParser: () => () => 'spoiled' } }],
  ])('tasks run with %s', async (_, options) => {
    await works({ connectionString: server.url, ...options });
  });
});

describe('type parsers that the application sets for all clients of the process', () => {
  const { types } = pg;
  const { BOOL, INT8, INT2, INT4, TEXT, JSON: OF_JSON, TIMESTAMPTZ, JSONB } = types.builtins;
  const PARSED = [BOOL, INT8, INT2, INT4, TEXT, OF_JSON, TIMESTAMPTZ, JSONB];
  const before = PARSED.map((type) => [type, types.getTypeParser(type)] as const);
  afterEach(() => {
    for (const [type, parser] of before) types.setTypeParser(type, parser);
    pg.defaults.binary = false;
  });

  it.each([
    ['texts', () => 'spoiled'],
    ['numbers of another kind', (text: string) => (/^-?\d+$/.test(text) ? BigInt(text) : { spoiled: text })],
  ])('tasks run with %s, and the clients of the application keep these parsers', async (_, parser) => {
    for (const type of PARSED) types.setTypeParser(type, parser as never);
    const pool = new pg.Pool({ connectionString: server.url });
    await works(server.url);
    await works(pool, async () => {
      const { rows } = await pool.query('SELECT 7 AS number');
      expect(rows).toEqual([{ number: parser('7') }]);
    });
    await pool.end();
  });

  it('the application does not boot with answers in the binary format', async () => {
    pg.defaults.binary = true;
    await expect(bootLife({ connection: server.url })).rejects.toMatchObject({ code: 'CONFIGURATION' });
  });
});

describe("the application's own pool", () => {
  it.each(Object.entries(SETTINGS))('tasks run with %s, and its connections stay as they are', async (_, options) => {
    const pool = new pg.Pool({ connectionString: server.url, max: 6, options });
    const settings = () =>
      pool.query(
        `SELECT string_agg(name || '=' || setting, ' ' ORDER BY name) AS all FROM pg_settings WHERE source <> 'default'`,
      );
    const before = await settings();
    await works(pool, async () => {
      const after = await Promise.all(Array.from({ length: 12 }, settings));
      for (const { rows } of after) expect(rows).toEqual(before.rows);
    });
    expect([pool.listenerCount('error'), pool.listenerCount('connect'), pool.ended]).toEqual([0, 0, false]);
    await pool.end();
  });

  it('the application does not boot with a pool whose answers have the binary format', async () => {
    const pool = new pg.Pool({ connectionString: server.url, ...{ binary: true } });
    await expect(bootLife({ connection: pool })).rejects.toMatchObject({
      code: 'CONFIGURATION',
      message: expect.stringContaining('The pool of the application has binary: true'),
    });
    await pool.end();
  });
});
