import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import pg from 'pg';
import { Task, type TaskQueueOptions, type Tasks } from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { LogLines } from '../support/log-lines.js';
import { postgresAt, transact, type TestDatabase } from '../support/outbox-database.js';
import { Recorder } from '../support/recorder.js';
import { freePrefix, startPostgres, startRedis, type Server } from '../support/servers.js';
import { makePostgresReadOnly } from './support/refusals.js';
import { startProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';
import { tableScript } from '../../lib/transactions/outbox/outbox-table.js';

/** The lock of a relay that moves rows. */
const RELAY_AT_WORK = `SELECT 1 FROM pg_locks WHERE locktype = 'advisory'`;

/** How long the tasks cannot be reached, in seconds. `OUTAGE_SECONDS=60` makes it a minute on each engine. */
const OUTAGE_SECONDS = Number(process.env['OUTAGE_SECONDS'] ?? 0);

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
const ran = new Recorder<string>();

@Injectable()
class Work {
  /** Its record would be gone at once, if a relay that repeats a call did not need it. */
  @Task({ resultTtl: '1s' })
  note(text: string): void {
    ran.record(text);
  }
}

/** The engines behind the outbox that another process can store into. */
describe.each(['redis', 'postgres'] as const)('the outbox in front of %s', (engine) => {
  let servers: Server[] = [];
  let store: Server;
  let database: TestDatabase;
  let databaseServer: Server;
  let options: TaskQueueOptions;
  let children: ChildProcess[] = [];
  let booted: Booted;
  let work: Tasks<Work>;

  beforeAll(async () => {
    store = await (engine === 'redis' ? startRedis({ durable: true }) : startPostgres({ durable: true }));
    databaseServer = await startPostgres({ durable: true });
    servers = [store, databaseServer];
    database = postgresAt(databaseServer.url);
    await database.query(tableScript('postgres'));
  });
  afterAll(async () => {
    await booted?.app.close();
    for (const child of children) child.kill('SIGKILL');
    await database?.close();
    await Promise.all(servers.map((server) => server.close()));
  });
  beforeEach(async () => {
    await booted?.app.close();
    for (const child of children.splice(0)) child.kill('SIGKILL');
    await database.query('TRUNCATE task_outbox');
    ran.entries.splice(0);
    options = { connection: store.url, prefix: freePrefix(), outbox: { connection: database.url } };
    // Runs tasks and moves none.
    booted = await boot({ ...options, outbox: {} }, [Work]);
    work = booted.queue.of(Work);
  });

  const isEmpty = async () => (await database.query('SELECT 1 FROM task_outbox LIMIT 1')).length === 0;
  const names = (count: number) => Array.from({ length: count }, (_, index) => `${index}`);
  const enqueue = (texts: readonly string[]) =>
    transact(database, async (tx) => {
      for (const text of texts) await work.note.in(tx).enqueue(text);
    });
  const startRelay = (killBefore = '') => {
    const child = fork(path('support/outbox-program.ts'), [], {
      execArgv: ['--import', path('../support/typescript-loader.js')],
      env: {
        ...process.env,
        NODE_ENV: 'production',
        OPTIONS: JSON.stringify({ ...options, role: 'producer' }),
        KILL_BEFORE: killBefore,
      },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    children.push(child);
    return child;
  };

  it('a relay that dies after it has stored calls leaves their rows to the next one, and each task runs once', async () => {
    const texts = names(40);
    await enqueue(texts);
    await once(startRelay('DELETE FROM task_outbox'), 'exit');
    expect(await database.query('SELECT count(*)::text AS rows FROM task_outbox')).toEqual([{ rows: '40' }]);
    // The tasks end before another relay comes.
    await ran.until((entries) => entries.length >= texts.length);
    startRelay();
    // A process starts slowly on a machine that is busy.
    await until(isEmpty, 'the next relay has moved the rows', 60_000);
    await enqueue(['the last']);
    await ran.until((entries) => entries.includes('the last'));
    expect(ran.entries.toSorted()).toEqual([...texts, 'the last'].toSorted());
  }, 150_000);

  it('three relays move each call once, while one of them is killed after the other', async () => {
    const relays = [startRelay(), startRelay(), startRelay()];
    const texts = names(300);
    for (let start = 0; start < texts.length; start += 20) {
      await enqueue(texts.slice(start, start + 20));
      if (start === 100) relays[0]?.kill('SIGKILL');
      if (start === 200) relays[1]?.kill('SIGKILL');
    }
    await ran.until((entries) => entries.length >= texts.length);
    await until(isEmpty);
    expect(ran.entries.toSorted()).toEqual(texts.toSorted());
  }, 60_000);

  it(
    'calls wait while the tasks cannot be reached, and callers notice nothing',
    async () => {
      const log = new LogLines();
      const relay = await boot({ ...options, role: 'producer', enqueueTimeout: '500ms' }, [], log);
      await enqueue(['before']);
      await ran.until((entries) => entries.includes('before'));
      await until(isEmpty);
      await store.stop();
      const texts = names(50);
      await enqueue(texts);
      // The relay tries, and the rows are still there.
      await until(async () => (await database.query(RELAY_AT_WORK)).length > 0);
      expect(await database.query('SELECT count(*)::text AS rows FROM task_outbox')).toEqual([{ rows: '50' }]);
      await sleep(OUTAGE_SECONDS * 1_000);
      await store.restart();
      await ran.until((entries) => entries.length >= 51);
      await until(isEmpty);
      expect(ran.entries.toSorted()).toEqual([...texts, 'before'].toSorted());
      expect(log.lines.filter((line) => line.includes('outbox'))).toEqual([]);
      await relay.app.close();
    },
    60_000 + OUTAGE_SECONDS * 1_000,
  );

  it('survives a restart of its database with one line for the end and one for the return', async () => {
    const log = new LogLines();
    const relay = await boot({ ...options, role: 'producer' }, [], log);
    await databaseServer.kill();
    const outboxLines = () => log.lines.filter((line) => line.includes('outbox'));
    await until(() => outboxLines().length > 0);
    await databaseServer.restart();
    await until(async () =>
      database.query('SELECT 1').then(
        () => true,
        () => false,
      ),
    );
    await enqueue(['after']);
    await ran.until((entries) => entries.includes('after'));
    await until(() => outboxLines().length === 2);
    expect(outboxLines()).toEqual([
      expect.stringMatching(/^WARN The outbox in PostgreSQL at .* cannot be moved for now: .*goes on trying\.$/),
      expect.stringMatching(/^LOG The outbox in PostgreSQL at .* is moved again\.$/),
    ]);
    await relay.app.close();
    await relay.app.close();
    await until(async () => (await connections()) === 0);
  });

  it('goes on with new connections when the network has forgotten those of a pool of the application', async () => {
    const proxy = await startProxy(databaseServer.port);
    const url = Object.assign(new URL(databaseServer.url), { port: `${proxy.port}` }).href;
    // Without any limit for the time of a statement, as pg's pools are by themselves.
    const pool = new pg.Pool({ connectionString: url, max: 5 });
    pool.on('error', () => undefined);
    const relay = await boot({ ...options, outbox: { connection: pool }, role: 'producer' }, []);
    await enqueue(['before']);
    await ran.until((entries) => entries.includes('before'));
    await until(isEmpty);
    proxy.forget();
    await enqueue(['after']);
    await until(() => ran.entries.includes('after'), 'the call is moved', 45_000);
    await relay.app.close();
    void pool.end();
    await proxy.close();
  }, 60_000);

  it('uses three connections at most', async () => {
    const relay = await boot({ ...options, role: 'producer' }, []);
    for (let start = 0; start < 10; start++) await enqueue(names(30));
    expect(await connections()).toBeLessThanOrEqual(3);
    await until(isEmpty);
    await relay.app.close();
    await until(async () => (await connections()) === 0);
  });

  /** The connections of relays. */
  async function connections(): Promise<number> {
    const [row] = await database.query(
      `SELECT count(*)::text AS count FROM pg_stat_activity WHERE application_name = 'nestjs-task-queue outbox'`,
    );
    return Number(row?.['count']);
  }
});

describe('a relay whose database has failed over', () => {
  it.each(['its own pool', 'a pool of the application'])(
    'leaves the former primary, which still answers and takes no writes, with %s',
    async (kind) => {
      const [former, next] = await Promise.all([startPostgres(), startPostgres()]);
      for (const server of [former, next]) {
        const database = postgresAt(server.url);
        await database.query(tableScript('postgres'));
        await database.close();
      }
      const proxy = await startProxy(former.port);
      const url = Object.assign(new URL(former.url), { port: `${proxy.port}` }).href;
      const pool = new pg.Pool({ connectionString: url, max: 5 });
      pool.on('error', () => undefined);
      const booted = await boot(
        { connection: `memory:${freePrefix()}`, outbox: { connection: kind === 'its own pool' ? url : pool } },
        [Work],
      );
      const allow = await makePostgresReadOnly(former);
      proxy.leadNewTo(next.port);
      const database = postgresAt(next.url);
      await transact(database, (tx) => booted.queue.of(Work).note.in(tx).enqueue(kind));
      await ran.until((entries) => entries.includes(kind));
      await booted.app.close();
      await pool.end();
      await database.close();
      await proxy.close();
      await allow();
      await Promise.all([former.close(), next.close()]);
    },
    60_000,
  );
});
