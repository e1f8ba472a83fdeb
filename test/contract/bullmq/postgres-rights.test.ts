import { afterAll, afterEach, beforeAll, expect, it, jest } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import pg from 'pg';
import { Task, type TaskQueueOptions, type Tasks } from 'nestjs-task-queue';
import type { Engine } from '../../../lib/engine/engine.js';
import { PostgresJobs } from '../../../lib/engine/bullmq/postgres/postgres-jobs.js';
import { ENGINE } from '../../../lib/task-queue-tokens.js';
import { boot, type Booted } from '../../support/boot.js';
import { commandLine } from '../../support/command-line.js';
import { startHealthApp } from '../../support/health-app.js';
import { LogLines } from '../../support/log-lines.js';
import { createDatabase, freePrefix } from '../../support/servers.js';
import { until } from '../../support/until.js';

@Injectable()
class Work {
  @Task()
  async echo(value: string): Promise<string> {
    return value;
  }
}

const prefix = freePrefix();
const [owner, role] = [`${prefix}_owner`, `${prefix}_app`];
let database: Awaited<ReturnType<typeof createDatabase>>;
let admin: pg.Client;
let booted: Booted;
let work: Tasks<Work>;
const log = new LogLines();
/** What gives back the right that a test has taken away. */
let giveBack: string | undefined;

const urlOf = (name: string) => Object.assign(new URL(database.url), { username: name, password: 'secret' }).href;
const doctor = async () => (await commandLine(['doctor', '--url', urlOf(role), '--prefix', prefix])).out;
const echo = async (text: string) => (await work.echo.enqueue(text)).result({ timeout: '15s' });

async function take(right: string, object: string, from = role): Promise<void> {
  await admin.query(`REVOKE ${right} ON ${object} FROM ${from}`);
  giveBack = `GRANT ${right} ON ${object} TO ${from}`;
}

async function restore(): Promise<void> {
  if (giveBack !== undefined) await admin.query(giveBack);
  giveBack = undefined;
}

/** The lines about the server, without those about tasks. */
const linesOfServer = () => log.lines.filter((line) => line.includes('PostgreSQL at '));

beforeAll(async () => {
  database = await createDatabase(process.env['TEST_POSTGRES_URL'] as string);
  admin = new pg.Client(database.url);
  await admin.connect();
  for (const name of [owner, role]) await admin.query(`CREATE ROLE ${name} LOGIN PASSWORD 'secret'`);
  const { rows } = await admin.query<{ name: string }>('SELECT current_database() AS name');
  await admin.query(`GRANT CREATE ON DATABASE ${rows[0]?.name} TO ${owner}`);
  const migrated = await commandLine(['migrate', '--url', urlOf(owner), '--prefix', prefix, '--grant', role]);
  expect(migrated).toMatchObject({ code: 0, err: '' });
});
afterEach(async () => {
  await restore();
  await booted?.app.close();
  expect(log.lines.filter((line) => /cannot be reached|can be reached|broke/.test(line))).toEqual([]);
});
afterAll(async () => {
  await admin.end();
  await database.drop();
  const server = new pg.Client(process.env['TEST_POSTGRES_URL']);
  await server.connect();
  for (const name of [owner, role]) await server.query(`DROP ROLE ${name}`);
  await server.end();
});

async function start(options: TaskQueueOptions = {}): Promise<void> {
  log.lines.length = 0;
  booted = await boot(
    {
      connection: urlOf(role),
      prefix,
      migrations: 'check',
      enqueueTimeout: '1s',
      queues: { default: { concurrency: 1 } },
      ...options,
    },
    [Work],
    log,
  );
  work = booted.queue.of(Work);
  await echo('first');
  log.lines.length = 0;
}

it('a role that may not store tasks: the caller, the log and doctor say what it lacks', async () => {
  await start();
  await take('INSERT', `${prefix}.job`);
  const refused =
    /^enqueue to "default": PostgreSQL at \S+ refuses it \(permission denied for table job, tried for 1000 ms\)\.$/;
  for (let time = 0; time < 2; time++) {
    await expect(work.echo.enqueue('refused')).rejects.toMatchObject({
      code: 'ENGINE_UNAVAILABLE',
      message: expect.stringMatching(refused),
      cause: { code: '42501' },
    });
  }
  expect(linesOfServer()).toEqual([
    expect.stringMatching(
      /^ERROR PostgreSQL at \S+ refuses enqueue to "default": permission denied for table job\. .*"Roles and rights" in docs\/running\.md/,
    ),
  ]);
  const out = await doctor();
  expect(out).toMatch(new RegExp(`fail +privileges +The role ${role} may not change the tables job\\.`));
  expect(out).toMatch(new RegExp(`→ npx nestjs-task-queue migrate .*--prefix ${prefix} --grant ${role}`));
  expect(out).not.toContain('cannot be reached');
  await restore();
  // Nothing has to be started again.
  expect(await echo('allowed')).toBe('allowed');
  expect(linesOfServer()).toHaveLength(1);
});

it('a health check says that a right is missing, and nothing of the server', async () => {
  await start();
  const web = await startHealthApp({ connection: urlOf(role), prefix, migrations: 'check', enqueueTimeout: '1s' }, [
    Work,
  ]);
  await take('INSERT', `${prefix}.job`);
  const probe = () => web.probe('engine');
  /** The last answer. On a busy machine, a call may have had no answer in its time before one was refused. */
  let engine: Awaited<ReturnType<typeof probe>>['detail'] = {};
  const refused = async () => {
    await web.queue
      .of(Work)
      .echo.enqueue('refused')
      .catch(() => undefined);
    const { status, detail } = await probe();
    engine = detail;
    return status === 503 && !String(detail['message']).startsWith('The engine answers, and refuses calls.');
  };
  await until(refused, 'the health check says that a right is missing', 30_000);
  expect(engine).toEqual({
    status: 'down',
    message: expect.stringMatching(/^The engine refuses what this process asks: a right is missing/),
  });
  const { status, detail } = await web.probe('consuming', { probe: 'liveness', within: 0 });
  expect(status).toBe(200);
  expect(detail['message'] ?? 'all queues are consumed').not.toContain('cannot be reached');
  await restore();
  expect(await (await web.queue.of(Work).echo.enqueue('allowed')).result({ timeout: '15s' })).toBe('allowed');
  await expect(probe()).resolves.toMatchObject({ status: 200 });
  await web.app.close();
}, 60_000);

it('a worker that may not take tasks: the log has one line, and the tasks run once it may', async () => {
  await start();
  await take('UPDATE', `${prefix}.job`);
  const handle = await booted.queue.of('Work.echo').enqueue('waits');
  await until(() => linesOfServer().length > 0, 'the refusal is logged');
  expect(linesOfServer()).toEqual([
    expect.stringMatching(/^ERROR PostgreSQL at \S+ refuses .*permission denied for table job/),
  ]);
  expect(await handle.status()).toMatchObject({ state: 'queued' });
  await restore();
  await expect(handle.result({ timeout: '40s' })).resolves.toBe('waits');
  expect(linesOfServer()).toHaveLength(1);
}, 60_000);

it('a worker that may not remove tasks whose time is over: the log has one line', async () => {
  await start({ results: { ttl: '1s', failedTtl: '1s' } });
  await take('DELETE', `${prefix}.job`);
  await until(() => linesOfServer().length > 0, 'the refusal is logged');
  // Further sweeps are refused too. A sweep begins with the tasks that succeeded, once a second.
  const sweeps = jest.spyOn(PostgresJobs.prototype, 'removeEnded');
  await until(() => sweeps.mock.results.length > 2, 'further sweeps were refused', 15_000);
  await Promise.allSettled(sweeps.mock.results.map(({ value }) => value as Promise<unknown>));
  sweeps.mockRestore();
  expect(linesOfServer()).toEqual([
    expect.stringMatching(/^ERROR PostgreSQL at \S+ refuses .*permission denied for table job/),
  ]);
});

it('a role that may read no table: doctor says so for each check', async () => {
  await start();
  await take('SELECT', `${prefix}.meta`);
  const out = await doctor();
  expect(out).toMatch(new RegExp(`fail +privileges +The role ${role} may not change the tables meta\\.`));
  expect(out).not.toContain('cannot be reached');
  expect(out).not.toContain('Start the engine');
});

it('a role that may not read the connections sees no workers of BullMQ, and doctor names the right', async () => {
  await start();
  expect(await doctor()).toMatch(/ok +connections /);
  await take('SELECT', 'pg_catalog.pg_stat_activity', 'PUBLIC');
  await expect(booted.app.get<Engine>(ENGINE).foreignWorkers(['default'])).resolves.toEqual([]);
  expect(await doctor()).toMatch(
    new RegExp(
      `warn +connections +.*cannot be seen: permission denied for view pg_stat_activity[^]*GRANT SELECT ON pg_stat_activity TO ${role}`,
    ),
  );
  expect(linesOfServer()).toEqual([]);
});

it('a role that may no longer log in: callers hear that, and nothing has to be started again', async () => {
  await start();
  await admin.query(`ALTER ROLE ${role} NOLOGIN`);
  giveBack = `ALTER ROLE ${role} LOGIN`;
  await admin.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1', [role]);
  const refusal = () =>
    work.echo.enqueue('refused').then(
      () => 'stored',
      ({ message }: Error) => message,
    );
  await until(async () => (await refusal()).includes('is not permitted to log in'), 'the server refuses the role');
  expect(await refusal()).not.toContain('cannot be reached');
  await restore();
  await until(async () => (await refusal()) === 'stored', 'the server lets the role in');
  // That the server ended the connections is a reason of its own.
  log.lines.length = 0;
}, 60_000);
