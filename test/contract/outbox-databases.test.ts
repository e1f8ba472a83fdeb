import { afterAll, beforeAll, beforeEach, describe, expect, it, jest, test } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Task, TaskAdmin, TaskNotFoundError, type TaskQueueOptions, type Tasks } from 'nestjs-task-queue';
import { newTaskId } from '../../lib/engine/task-id.js';
import { OutboxMover } from '../../lib/transactions/outbox/outbox-mover.js';
import { WaitingCalls } from '../../lib/transactions/outbox/waiting-calls.js';
import { boot, type Booted } from '../support/boot.js';
import { commandLine } from '../support/command-line.js';
import { createOutbox, transact, type TestDatabase } from '../support/outbox-database.js';
import { Gate } from '../support/gate.js';
import { LogLines } from '../support/log-lines.js';
import { Recorder } from '../support/recorder.js';
import { createDatabase, freePrefix } from '../support/servers.js';
import { until } from '../support/until.js';

const ran = new Recorder<string>();

@Injectable()
class Work {
  @Task({ queue: 'ordered' })
  ordered(text: string): string {
    ran.record(text);
    return text;
  }
}

/** The engine is the same for all databases, so the fastest one will do. */
const optionsOf = (database: TestDatabase): TaskQueueOptions => ({
  connection: `memory:${freePrefix()}`,
  outbox: { connection: database.url },
  queues: { ordered: { concurrency: 1 } },
});

describe.each(['postgres', 'mysql', 'sqlite', 'sqlite without a log'] as const)('an outbox in %s', (kind) => {
  let database: TestDatabase;
  let booted: Booted;
  let work: Tasks<Work>;
  const log = new LogLines();

  beforeAll(async () => {
    database = await createOutbox(kind);
    booted = await boot(optionsOf(database), [Work], log);
    work = booted.queue.of(Work);
  });
  afterAll(async () => {
    await booted?.app.close();
    await database?.close();
  });
  beforeEach(() => void ran.entries.splice(0));

  const rows = () => database.query('SELECT * FROM task_outbox ORDER BY seq');
  const isEmpty = async () => (await rows()).length === 0;

  it('runs calls after the commit, and never after a rollback', async () => {
    const gone = await database.begin();
    await work.ordered.in(gone.adapter).enqueue('gone');
    await gone.rollback();
    const kept = await database.begin();
    const handle = await work.ordered.in(kept.adapter).enqueue('kept');
    await kept.commit();
    await expect(handle.result({ timeout: '20s' })).resolves.toBe('kept');
    await until(isEmpty);
    expect(ran.entries).toEqual(['kept']);
  });

  it('shows a call that is not moved yet as queued, and then tells its end', async () => {
    const gate = new Gate();
    const { move } = OutboxMover.prototype;
    const moving = jest.spyOn(OutboxMover.prototype, 'move').mockImplementation(async function (
      this: OutboxMover,
      batch,
    ) {
      await gate.opened;
      return move.call(this, batch);
    });
    const before = Date.now();
    const mentioned = newTaskId('ordered');
    const handles = await transact(database, (transaction) =>
      work.ordered.in(transaction).enqueueMany([['first'], [{ id: mentioned } as never]]),
    );
    await until(() => moving.mock.calls.length > 0);
    for (const { id } of handles) {
      const status = await booted.queue.handle(id).status();
      expect(status).toMatchObject({ id, name: 'Work.ordered', queue: 'ordered', state: 'queued', attempt: 0 });
      expect(Math.abs(Date.parse(status.enqueuedAt) - before)).toBeLessThan(60_000);
    }
    await expect(booted.queue.handle(mentioned).status()).rejects.toThrow(TaskNotFoundError);
    await expect(booted.queue.handle('"no id').status()).rejects.toThrow(TaskNotFoundError);
    // A handle by id, which does not know that the call went through an outbox.
    const results = Promise.all(handles.map(({ id }) => booted.queue.handle(id).result({ timeout: '20s' })));
    // While the call is not moved, each of the waiting callers looks again and again.
    const find = jest.spyOn(WaitingCalls.prototype, 'find');
    await until(() => handles.every(({ id }) => find.mock.calls.filter(([asked]) => asked === id).length > 1));
    find.mockRestore();
    gate.open();
    await expect(results).resolves.toEqual(['first', { id: mentioned }]);
    moving.mockRestore();
    await until(isEmpty);
  });

  it('keeps every character, and the order of the transaction', async () => {
    const texts = Array.from({ length: 30 }, (_, index) => `${index} é 漢 🚀 \u2028 " \\ '`);
    await transact(database, async (tx) => {
      for (const text of texts.slice(0, 10)) await work.ordered.in(tx).enqueue(text);
      await work.ordered.in(tx).enqueueMany(texts.slice(10).map((text): [string] => [text]));
    });
    await ran.until((entries) => entries.length === texts.length);
    expect(ran.entries).toEqual(texts);
    await until(isEmpty);
  });

  it('two processes move each call once, and in order', async () => {
    await booted.app.close();
    // Both relays store into the same place.
    const options = { ...optionsOf(database), connection: `memory:${freePrefix()}` };
    const shared = await boot(options, [Work], log);
    const second = await boot({ ...options, role: 'producer' }, [Work], log);
    const names: string[] = [];
    for (let transaction = 0; transaction < 20; transaction++) {
      await transact(database, async (tx) => {
        for (let index = 0; index < 10; index++) {
          names.push(`${transaction}-${index}`);
          await shared.queue.of(Work).ordered.in(tx).enqueue(`${transaction}-${index}`);
        }
      });
    }
    await ran.until((entries) => entries.length >= names.length);
    await until(isEmpty);
    expect(ran.entries.toSorted()).toEqual(names.toSorted());
    for (let transaction = 0; transaction < 20; transaction++) {
      const own = ran.entries.filter((entry) => entry.startsWith(`${transaction}-`));
      expect(own).toEqual(Array.from({ length: 10 }, (_, index) => `${transaction}-${index}`));
    }
    await Promise.all([shared.app.close(), second.app.close()]);
    booted = await boot(optionsOf(database), [Work], log);
    work = booted.queue.of(Work);
  });

  it('a row that cannot be read stays, and the log names it', async () => {
    await database.query(
      `INSERT INTO task_outbox (store, queue, calls, format, payload) VALUES ('tasks', 'ordered', 1, 1, 'no JSON'), ('tasks', 'ordered', 2, 99, '{}')`,
    );
    await (await transact(database, (tx) => work.ordered.in(tx).enqueue('behind'))).result({ timeout: '20s' });
    await until(async () => (await rows()).length === 2 && (await rows())[0]?.['error'] !== null);
    const [broken, newer] = await rows();
    expect(broken).toMatchObject({ error: 'the payload is not JSON' });
    expect(broken?.['failed_at']).not.toBeNull();
    expect(newer).toMatchObject({ failed_at: null });
    expect(log.lines).toContainEqual(expect.stringContaining(`ERROR Row ${String(broken?.['seq'])} of the outbox in `));
    const ofQueue = async () =>
      (await booted.app.get(TaskAdmin).queues()).find(({ name }) => name === 'ordered')?.outbox;
    await until(async () => (await ofQueue())?.depth === 2);
    expect((await ofQueue())?.age).toBeGreaterThanOrEqual(0);
    await database.query('DELETE FROM task_outbox');
  });

  it('logs nothing else', () => {
    expect(linesOfOutbox()).toHaveLength(1);
  });

  it('a table that is missing stops the start of an application, and the log of one that runs says what to do', async () => {
    log.lines.splice(0);
    const cure = `npx nestjs-task-queue outbox --dialect ${database.dialect}`;
    await database.query('ALTER TABLE task_outbox RENAME TO elsewhere');
    await expect(boot(optionsOf(database), [Work], log)).rejects.toMatchObject({
      code: 'CONFIGURATION',
      message: expect.stringContaining(cure),
    });
    await until(() => linesOfOutbox().length > 0);
    await database.query('ALTER TABLE elsewhere RENAME TO task_outbox');
    await until(() => log.lines.some((line) => line.endsWith('is moved again.')));
    expect(linesOfOutbox()).toEqual([expect.stringContaining(cure)]);
  });

  function linesOfOutbox(): string[] {
    return log.lines.filter((line) => /^(WARN|ERROR)/.test(line) && !line.includes('newer version'));
  }
});

test('a transaction of another kind of database goes to the tasks themselves, when they are in its database', async () => {
  const [outbox, own] = [await createOutbox('sqlite'), await createOutbox('postgres')];
  const booted = await boot({ connection: own.url, outbox: { connection: outbox.url } }, [Work]);
  const { ordered } = booted.queue.of(Work);
  const handle = await transact(own, (tx) => ordered.in(tx).enqueue('directly'));
  // Neither place is asked to store it in a table that no relay reads.
  expect(await own.query('SELECT queue FROM task_outbox')).toEqual([]);
  await expect(handle.result({ timeout: '20s' })).resolves.toBe('directly');
  await (await transact(outbox, (tx) => ordered.in(tx).enqueue('by the outbox'))).result({ timeout: '20s' });
  await booted.app.close();
  await Promise.all([outbox.close(), own.close()]);
});

test('without the option connection, a process puts calls in and moves none', async () => {
  const database = await createOutbox('postgres');
  const place = `memory:${freePrefix()}`;
  const producer = await boot({ connection: place, outbox: {} }, [Work]);
  await transact(database, (tx) => producer.queue.of(Work).ordered.in(tx).enqueue('by another'));
  expect(await database.query('SELECT queue FROM task_outbox')).toEqual([{ queue: 'ordered' }]);
  expect((await producer.app.get(TaskAdmin).queues()).every(({ outbox }) => outbox === null)).toBe(true);
  const relay = await boot({ connection: place, outbox: { connection: database.url } }, [Work]);
  await ran.until((entries) => entries.includes('by another'));
  await Promise.all([producer.app.close(), relay.app.close()]);
  await database.close();
});

test('migrate creates the table, with the tables of tasks or without them', async () => {
  const { url, drop } = await createDatabase(process.env['TEST_POSTGRES_URL'] as string);
  const migrate = (...args: string[]) => commandLine(['migrate', '--url', url, '--json', ...args]);
  const reports = [await migrate('--outbox', '--dry-run'), await migrate('--outbox'), await migrate('--outbox')];
  expect(reports.map(({ err }) => err)).toEqual(['', '', '']);
  expect(reports.map(({ out }) => JSON.parse(out) as unknown)).toMatchObject([
    { outbox: { table: 'task_outbox', existed: false }, applied: false },
    { outbox: { existed: false }, applied: true },
    { outbox: { existed: true }, applied: true },
  ]);
  const other = await migrate('--table', 'public.other_outbox');
  expect(JSON.parse(other.out)).toMatchObject({
    schema: 'tasks',
    outbox: { table: 'public.other_outbox', existed: false },
  });
  const booted = await boot(
    { connection: `memory:${freePrefix()}`, outbox: { connection: url, table: 'public.other_outbox' } },
    [],
  );
  await booted.app.close();
  await drop();
});
