import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { Worker } from 'bullmq';
import { Redis } from 'ioredis';
import pg from 'pg';
import { boot } from '../../support/boot.js';
import { commandLine } from '../../support/command-line.js';
import { documentedAcl } from '../../support/documented-acl.js';
import { createDatabase, freePrefix } from '../../support/servers.js';
import { until } from '../../support/until.js';
import { usesEverything, workIn } from './everything.js';

const Work = workIn('default');

describe('roles of PostgreSQL', () => {
  const [owner, web, worker] = [freePrefix(), freePrefix(), freePrefix()];
  const prefix = freePrefix();
  let database: Awaited<ReturnType<typeof createDatabase>>;
  let admin: pg.Client;
  const urlOf = (role: string) => Object.assign(new URL(database.url), { username: role, password: 'secret' }).href;

  beforeAll(async () => {
    database = await createDatabase(process.env['TEST_POSTGRES_URL'] as string);
    admin = new pg.Client(database.url);
    await admin.connect();
    for (const role of [owner, web, worker]) await admin.query(`CREATE ROLE ${role} LOGIN PASSWORD 'secret'`);
    const { rows } = await admin.query<{ name: string }>('SELECT current_database() AS name');
    await admin.query(`GRANT CREATE ON DATABASE ${rows[0]?.name} TO ${owner}`);
  });
  afterAll(async () => {
    await admin.end();
    await database.drop();
    const server = new pg.Client(process.env['TEST_POSTGRES_URL']);
    await server.connect();
    for (const role of [owner, web, worker]) await server.query(`DROP ROLE ${role}`);
    await server.end();
  });

  it("migrations: 'check' creates nothing, and names the command that does", async () => {
    const refused = boot({ connection: urlOf(web), prefix, migrations: 'check' });
    await expect(refused).rejects.toMatchObject({
      code: 'CONFIGURATION',
      message: expect.stringMatching(/has no tables.*migrations: 'check'.*npx nestjs-task-queue migrate --url/),
    });
    const { rows } = await admin.query('SELECT 1 FROM pg_namespace WHERE nspname = $1', [prefix]);
    expect(rows).toEqual([]);
    await expect(boot({ connection: urlOf(owner), prefix, migrations: 'check' })).rejects.toMatchObject({
      code: 'CONFIGURATION',
    });
  });

  it('the owner migrates; the web and the worker do everything with what migrate --grant gives them', async () => {
    for (const role of [web, worker]) {
      const migrated = await commandLine(['migrate', '--url', urlOf(owner), '--prefix', prefix, '--grant', role]);
      expect(migrated).toMatchObject({ code: 0, err: '' });
    }
    const warnings: unknown[] = [];
    const spy = jest.spyOn(Logger.prototype, 'warn').mockImplementation((line: unknown) => void warnings.push(line));
    const running = await boot({ connection: urlOf(worker), prefix, migrations: 'check', role: 'worker' }, [Work]);
    const serving = await boot({ connection: urlOf(web), prefix, migrations: 'check', role: 'producer' }, [Work]);
    try {
      await usesEverything(serving, running, Work, 'default');
      // The queue `default-later` is new, and neither role may create the sequence that BullMQ makes for a new queue.
      expect(warnings.filter((line) => String(line).includes('default-later'))).toEqual([]);
    } finally {
      await serving.app.close();
      await running.app.close();
      spy.mockRestore();
    }
  });

  it.each([
    ['create a table', `CREATE TABLE ${prefix}.mine (a int)`],
    ['create a function', `CREATE FUNCTION ${prefix}.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'`],
    ['change a table', `ALTER TABLE ${prefix}.job ADD COLUMN mine int`],
    ['empty a table', `TRUNCATE ${prefix}.job CASCADE`],
    ['claim that a migration ran', `UPDATE ${prefix}.migration SET version = 99`],
  ])('neither role can %s', async (_, sql) => {
    for (const role of [web, worker]) {
      const client = new pg.Client(urlOf(role));
      await client.connect();
      await expect(client.query(sql)).rejects.toMatchObject({ code: '42501' });
      await client.end();
    }
  });

  it('doctor finds their rights sufficient', async () => {
    const { out } = await commandLine(['doctor', '--url', urlOf(worker), '--prefix', prefix]);
    expect(out).toMatch(/ok +privileges +The role \w+ may use the tables/);
  });
});

describe('users of Redis', () => {
  const prefix = freePrefix();
  const server = process.env['TEST_REDIS_URL'] ?? '';
  const [web, worker] = [`${prefix}_web`, `${prefix}_worker`];
  const urlOf = (user: string) => Object.assign(new URL(server), { username: user, password: 'secret' }).href;
  let admin: Redis;

  beforeAll(async () => {
    admin = new Redis(server);
    await admin.call('ACL', 'SETUSER', web, ...documentedAcl('docs/running.md', 'web', prefix, 'secret'));
    await admin.call('ACL', 'SETUSER', worker, ...documentedAcl('docs/running.md', 'worker', prefix, 'secret'));
  });
  afterAll(async () => {
    const keys = await admin.keys(`${prefix}:*`);
    if (keys.length > 0) await admin.unlink(keys);
    await admin.call('ACL', 'DELUSER', web, worker);
    await admin.quit();
  });

  it('the web and the worker do everything with the rights of their users', async () => {
    const running = await boot({ connection: urlOf(worker), prefix, role: 'worker' }, [Work]);
    const serving = await boot({ connection: urlOf(web), prefix, role: 'producer' }, [Work]);
    try {
      await usesEverything(serving, running, Work, 'default');
    } finally {
      await serving.app.close();
      await running.app.close();
    }
  });

  it.each([web, worker])('doctor, run as %s, names a worker of another kind', async (user) => {
    const running = await boot({ connection: urlOf(worker), prefix, role: 'worker' }, [Work]);
    const other = new Worker('default', undefined, { connection: { url: server }, prefix });
    try {
      await other.waitUntilReady();
      const found = async () => (await commandLine(['doctor', '--url', urlOf(user), '--prefix', prefix])).out;
      await until(async () => (await found()).includes('Two kinds of workers take from the queue "default"'));
    } finally {
      await other.close();
      await running.app.close();
    }
  });

  it.each([
    ['read keys of others', ['GET', 'other:key']],
    ['change settings', ['CONFIG', 'SET', 'maxmemory', '1']],
    ['delete everything', ['FLUSHALL']],
    ['list all keys', ['KEYS', '*']],
  ])('neither user can %s', async (_, [command = '', ...args]) => {
    for (const user of [web, worker]) {
      const client = new Redis(urlOf(user));
      await expect(client.call(command, ...args)).rejects.toThrow('NOPERM');
      client.disconnect();
    }
  });
});
