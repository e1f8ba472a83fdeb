import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import mysql from 'mysql2/promise';
import pg from 'pg';
import { Task } from 'nestjs-task-queue';
import { boot } from '../support/boot.js';
import { createOutbox, postgresAt, transact, type TestDatabase } from '../support/outbox-database.js';
import { Recorder } from '../support/recorder.js';
import { freePrefix, startPostgres } from '../support/servers.js';
import { startProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';
import { OutboxMover } from '../../lib/transactions/outbox/outbox-mover.js';
import { SILENCE_LIMIT } from '../../lib/transactions/outbox/relay-session.js';
import { tableScript } from '../../lib/transactions/outbox/outbox-table.js';

const ran = new Recorder<string>();

@Injectable()
class Work {
  @Task()
  note(text: string): void {
    ran.record(text);
  }
}

/** The database of an application on a server of its own. */
async function openDatabase(kind: 'postgres' | 'mysql'): Promise<TestDatabase> {
  if (kind === 'mysql') return createOutbox('mysql');
  const server = await startPostgres();
  const database = postgresAt(server.url, () => server.close());
  await database.query(tableScript('postgres'));
  return database;
}

afterEach(() => void jest.restoreAllMocks());

/** A lock of a relay ends with its session, and the server hears nothing of a connection that the network has forgotten. */
describe('a relay whose connection the network forgets while it moves rows', () => {
  const POOLS = {
    'PostgreSQL, its own pool': ['postgres', (url: string) => url],
    'PostgreSQL, a pool of the application': [
      'postgres',
      (url: string) => quiet(new pg.Pool({ connectionString: url })),
    ],
    'MySQL, its own pool': ['mysql', (url: string) => url],
    'MySQL, a pool of the application': ['mysql', (url: string) => mysql.createPool(url)],
  } as const;

  it.each(Object.entries(POOLS))(
    'moves them over another connection within half a minute: %s',
    async (_, [kind, connect]) => {
      const database = await openDatabase(kind);
      const proxy = await startProxy(Number(new URL(database.url).port));
      const connection = connect(Object.assign(new URL(database.url), { port: `${proxy.port}` }).href);
      const { move } = OutboxMover.prototype;
      const moving = jest.spyOn(OutboxMover.prototype, 'move').mockImplementationOnce(function (
        this: OutboxMover,
        rows: Parameters<typeof move>[0],
      ) {
        proxy.forget();
        return move.call(this, rows);
      });
      const booted = await boot({ connection: `memory:${freePrefix()}`, outbox: { connection } }, [Work]);
      await transact(database, (tx) => booted.queue.of(Work).note.in(tx).enqueue(kind));
      await until(() => moving.mock.calls.length > 0);
      const isEmpty = async () => (await database.query('SELECT 1 FROM task_outbox')).length === 0;
      await until(isEmpty, 'the rows are moved', 45_000);
      await booted.app.close();
      if (typeof connection === 'object') void connection.end();
      await proxy.close();
      await database.close();
    },
    90_000,
  );

  function quiet(pool: pg.Pool): pg.Pool {
    return pool.on('error', () => undefined);
  }
});

describe.each(['postgres', 'mysql'] as const)('a relay in front of a slow engine, %s', (kind) => {
  it('keeps its lock for as long as it moves rows', async () => {
    const database = await openDatabase(kind);
    const { move } = OutboxMover.prototype;
    const moving = jest.spyOn(OutboxMover.prototype, 'move').mockImplementationOnce(async function (
      this: OutboxMover,
      rows: Parameters<typeof move>[0],
    ) {
      // Longer than the server keeps a session of which it hears nothing.
      await sleep(SILENCE_LIMIT + 3_000);
      return move.call(this, rows);
    });
    const booted = await boot({ connection: `memory:${freePrefix()}`, outbox: { connection: database.url } }, [Work]);
    await transact(database, (tx) => booted.queue.of(Work).note.in(tx).enqueue(kind));
    await ran.until((entries) => entries.includes(kind));
    await until(async () => (await database.query('SELECT 1 FROM task_outbox')).length === 0);
    expect(moving).toHaveBeenCalledTimes(1);
    await booted.app.close();
    await database.close();
  }, 60_000);
});
