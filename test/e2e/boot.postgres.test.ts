import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { until } from '../support/until.js';
import { createDatabase, freePrefix, startPostgres } from '../support/servers.js';
import { bootAdder, bootError, bootsAndWorks } from './booting.js';

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

describe('a PostgreSQL that cannot be reached yet', () => {
  it('the application boots without it, calls fail in time, and tasks run once it can be reached', async () => {
    const server = await startPostgres();
    await server.stop();
    const { app, add, lines, works } = await bootAdder({ connection: server.url, enqueueTimeout: 700 });
    try {
      expect(lines.filter((line) => line.startsWith('ERROR'))).toEqual([
        expect.stringMatching(/PostgreSQL at .* cannot be reached: .*ECONNREFUSED/),
      ]);
      const start = Date.now();
      await expect(add.enqueue(1, 2)).rejects.toMatchObject({
        code: 'ENGINE_UNAVAILABLE',
        message: expect.stringContaining('cannot be reached'),
      });
      expect(Date.now() - start).toBeLessThan(1_200);
      await server.restart();
      await until(() => works().catch(() => false), 'a task runs without a restart of the application');
      expect(lines.length).toBeLessThanOrEqual(4);
    } finally {
      await app.close();
      await server.close();
    }
  });
});

describe('a PostgreSQL with passwords and TLS', () => {
  const password = 'p@ss/w:rd';
  let server: Awaited<ReturnType<typeof startPostgres>>;
  beforeAll(async () => {
    server = await startPostgres({ password, tls: true });
  });
  afterAll(() => server.close());

  it('the connection takes the password from the URL and from options', async () => {
    await expect(bootsAndWorks({ connection: server.url })).resolves.toBe(true);
    const { port } = server;
    const options = { host: '127.0.0.1', port, user: 'postgres', password, ssl: { ca: server.ca } };
    await expect(bootsAndWorks({ connection: options })).resolves.toBe(true);
  });

  it.each([
    ['a wrong password', (url: URL) => (url.password = 'wr0ng')],
    ['no password', (url: URL) => (url.password = '')],
    ['an unknown user', (url: URL) => (url.username = 'wr0ng')],
    ['an unknown database', (url: URL) => (url.pathname = '/nowhere')],
    ['a certificate that no authority has signed', (url: URL) => (url.search = 'sslmode=verify-full')],
  ])('the application does not boot with %s', async (_, spoil) => {
    const url = new URL(server.url);
    spoil(url);
    const error = await bootError({ connection: url.href });
    expect(error).toMatchObject({
      code: 'CONFIGURATION',
      message: expect.stringMatching(/Check user, password, database and TLS/),
    });
    expect(error.message.replace('user "wr0ng"', '')).not.toMatch(/p@ss|p%40ss|wr0ng/);
  });
});

describe('the schema', () => {
  let database: Awaited<ReturnType<typeof createDatabase>>;
  let admin: pg.Client;
  beforeAll(async () => {
    database = await createDatabase(process.env['TEST_POSTGRES_URL'] as string);
    admin = new pg.Client(database.url);
    await admin.connect();
  });
  afterAll(async () => {
    await admin.end();
    await database.drop();
  });

  it('replicas that start together make the schema once', async () => {
    const options = { connection: database.url, prefix: freePrefix() };
    await expect(Promise.all(Array.from({ length: 4 }, () => bootsAndWorks(options)))).resolves.toEqual([
      true,
      true,
      true,
      true,
    ]);
  });

  it('the command in the error makes the schema when the role of the application may not', async () => {
    const role = freePrefix();
    await admin.query(`CREATE ROLE ${role} LOGIN`);
    const url = new URL(database.url);
    url.username = role;
    const prefix = freePrefix();
    const { message, code } = await bootError({ connection: url.href, prefix });
    expect(code).toBe('CONFIGURATION');
    const command = /npx nestjs-task-queue (migrate --url \S+ --prefix \S+ --grant \S+)/.exec(message)?.[1] as string;
    const args = command.replace(/postgres:\S+/, database.url).split(' ');
    const { stdout } = await promisify(execFile)(process.execPath, [
      '--import',
      path('../support/typescript-loader.js'),
      path('../../lib/cli/main.ts'),
      ...args,
    ]);
    expect(stdout).toContain(`The schema "${prefix}"`);
    await expect(bootsAndWorks({ connection: url.href, prefix })).resolves.toBe(true);
    await admin.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
  });

  it('the application does not boot with a schema of a newer BullMQ', async () => {
    const prefix = freePrefix();
    await bootsAndWorks({ connection: database.url, prefix });
    await admin.query(`UPDATE ${prefix}.migration SET min_client_version = 99`);
    await expect(bootError({ connection: database.url, prefix })).resolves.toMatchObject({
      code: 'CONFIGURATION',
      message: expect.stringContaining('Update the package bullmq'),
    });
  });
});

describe("the application's own pool", () => {
  // The application sets a search path on each of its connections.
  const open = (max: number) =>
    new pg.Pool({
      connectionString: process.env['TEST_POSTGRES_URL'],
      max,
      onConnect: (client) => void client.query('SET search_path TO pg_catalog, app'),
    });

  it('the library uses the pool, keeps the search path of its connections, and leaves it open', async () => {
    const pool = open(6);
    const { app, add } = await bootAdder({ connection: pool });
    const paths = new Set<string>();
    const readPath = async () =>
      paths.add((await pool.query<{ search_path: string }>('SHOW search_path')).rows[0]?.search_path ?? '');
    const handles = await Promise.all(
      Array.from({ length: 40 }, async (_, n) => {
        await readPath();
        return add.enqueue(n, 1);
      }),
    );
    await expect(Promise.all(handles.map((handle) => handle.result({ timeout: '20s' })))).resolves.toEqual(
      Array.from({ length: 40 }, (_, n) => n + 1),
    );
    await app.close();
    await Promise.all(Array.from({ length: 6 }, readPath));
    expect(paths).toEqual(new Set(['pg_catalog, app']));
    expect([pool.listenerCount('error'), pool.listenerCount('connect'), pool.ended]).toEqual([0, 0, false]);
    await pool.end();
  });

  it('the application does not boot when the workers would take all connections of the pool', async () => {
    const pool = open(1);
    await expect(bootError({ connection: pool })).resolves.toMatchObject({
      code: 'CONFIGURATION',
      message: expect.stringMatching(/has 1 connection,.*max: 11/),
    });
    await pool.end();
  });
});
