import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import pg from 'pg';
import { commandLine, stable, type CommandResult } from '../support/command-line.js';
import { createDatabase, freePrefix, startRedis } from '../support/servers.js';
import type { Finding } from '../../lib/engine/ports/diagnosis-port.js';

const levels = ({ out }: CommandResult) =>
  Object.fromEntries((JSON.parse(out) as Finding[]).map(({ check, level }) => [check, level]));

describe('doctor on Redis', () => {
  let server: Awaited<ReturnType<typeof startRedis>>;
  beforeAll(async () => {
    server = await startRedis({ password: 'hush' });
  });
  afterAll(() => server.close());
  const set = async (setting: string, value: string) => {
    const client = new Redis(server.url);
    await client.config('SET', setting, value);
    await client.quit();
  };
  const doctor = (...args: string[]) => commandLine(['doctor', ...args], { env: { TASK_QUEUE_URL: server.url } });

  test('each line has a level, a check and what was found', async () => {
    const { out } = await doctor();
    const lines = stable(out).split('\n');
    expect(lines[0]).toMatch(
      /^ok    engine +(Redis|Valkey) [\d.]+: Redis at redis:\/\/127\.0\.0\.1:\d+ answers in \d+ ms$/,
    );
    expect(lines[1]).toMatch(/^ok    versions +bullmq [\d.]+, ioredis [\d.]+: this package was tested with them\.$/);
    expect(out).not.toContain('hush');
  });

  test('a server that may delete tasks is a failure with its cure, and exit code 1', async () => {
    await set('maxmemory-policy', 'allkeys-lru');
    const { code, out } = await doctor();
    expect(out).toContain('fail  eviction');
    expect(out).toContain('maxmemory-policy is allkeys-lru: a server without free memory deletes tasks.\n');
    expect(out).toContain('→ CONFIG SET maxmemory-policy noeviction');
    expect(code).toBe(1);
    await set('maxmemory-policy', 'noeviction');
    expect(await doctor()).toMatchObject({ code: 0 });
  });

  test('a server without appendonly is a warning', async () => {
    await set('appendonly', 'no');
    expect(levels(await doctor('--json'))).toMatchObject({ persistence: 'warn', memory: 'ok', eviction: 'ok' });
    await set('appendonly', 'yes');
    expect(levels(await doctor('--json'))).toMatchObject({ persistence: 'ok' });
  });

  test('a full memory is a failure', async () => {
    await set('maxmemory', '100kb');
    expect(levels(await doctor('--json'))).toMatchObject({ memory: 'fail' });
    await set('maxmemory', '0');
  });

  test('a server that cannot be reached, or refuses the password, is one line with its cure', async () => {
    const url = server.url.replace('hush', 'wr0ng');
    const refused = await commandLine(['doctor', '--url', url]);
    expect(refused.code).toBe(1);
    expect(refused.out).toMatch(/^fail  engine  .*\n +→ Start the engine, or correct --url/);
    expect(refused.out).not.toContain('wr0ng');
    const gone = await commandLine(['doctor', '--json', '--url', 'redis://127.0.0.1:1']);
    expect(gone.code).toBe(1);
    expect(levels(gone)).toEqual({ engine: 'fail' });
  });
});

describe('doctor on PostgreSQL', () => {
  let database: Awaited<ReturnType<typeof createDatabase>>;
  let admin: pg.Client;
  const prefix = freePrefix();
  beforeAll(async () => {
    database = await createDatabase(process.env['TEST_POSTGRES_URL'] as string);
    admin = new pg.Client(database.url);
    await admin.connect();
  });
  afterAll(async () => {
    await admin.end();
    await database.drop();
  });
  const run = (command: string, url = database.url) =>
    commandLine([...command.split(' '), '--prefix', prefix], { env: { TASK_QUEUE_URL: url } });

  test('commands make no tables: a wrong prefix is an error with the cure, and exit code 3', async () => {
    for (const command of ['workers', 'list', 'schedules']) {
      const { code, err } = await run(command);
      expect(err).toContain(`The schema "${prefix}" of PostgreSQL at`);
      expect(err).toContain('has no tables. Correct --prefix');
      expect(code).toBe(3);
    }
    expect(await run('doctor')).toMatchObject({ code: 1, out: expect.stringContaining('has no tables') });
    const { rows } = await admin.query('SELECT 1 FROM pg_namespace WHERE nspname = $1', [prefix]);
    expect(rows).toEqual([]);
  });

  test('migrate --dry-run shows what would run and changes nothing, then migrate does it', async () => {
    const dry = await run('migrate --dry-run');
    expect(dry.out).toMatch(
      new RegExp(`^\\d+ migrations of the schema "${prefix}" in .* would run: it is at version 0 of \\d+\\.\\n`),
    );
    expect(dry.out).toMatch(/The table task_outbox would be created\.\n$/);
    expect(await run('workers')).toMatchObject({ code: 3 });
    expect(await run('migrate')).toMatchObject({ code: 0, out: expect.stringContaining('is up to date.') });
    const { out } = await run('migrate --dry-run --json');
    expect(JSON.parse(out)).toMatchObject({ schema: prefix, due: 0, applied: false });
  });

  test('all checks pass on tables that are up to date', async () => {
    const result = await run('doctor --json');
    expect(levels(result)).toMatchObject({ engine: 'ok', role: 'ok', migrations: 'ok', privileges: 'ok', clock: 'ok' });
    expect(result.code).toBe(0);
  });

  test('a role that may not use the tables is a failure with the command that lets it', async () => {
    const role = `reader_${prefix}`;
    await admin.query(`CREATE ROLE ${role} LOGIN; GRANT USAGE, CREATE ON SCHEMA ${prefix} TO ${role}`);
    await admin.query(`GRANT SELECT ON ALL TABLES IN SCHEMA ${prefix} TO ${role}`);
    const url = new URL(database.url);
    url.username = role;
    const { out, code } = await run('doctor', url.href);
    expect(out).toContain(`The role ${role} may not change the tables`);
    expect(out).toContain(`--grant ${role}`);
    expect(code).toBe(1);
    await admin.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
  });
});
