import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import pg from 'pg';
import {
  chain,
  chord,
  ConfigurationError,
  EngineUnavailableError,
  group,
  IdempotencyConflictError,
  QueueFullError,
  Task,
  TaskAdmin,
  TaskNotFoundError,
  type Tasks,
} from 'nestjs-task-queue';
import { boot, type Booted } from '../../support/boot.js';
import { createDatabase } from '../../support/servers.js';

@Injectable()
class Mails {
  readonly sent: number[] = [];

  @Task()
  async send(order: number): Promise<number> {
    this.sent.push(order);
    return order;
  }

  @Task({ queue: 'reports', unique: { while: 'running', key: (month: string) => month } })
  async report(month: string): Promise<string> {
    return month;
  }

  @Task()
  async add(one: number, other: number): Promise<number> {
    return one + other;
  }

  @Task()
  async sum(list: number[]): Promise<number> {
    return list.reduce((total, item) => total + item, 0);
  }
}

let database: Awaited<ReturnType<typeof createDatabase>>;
let booted: Booted;
let mails: Tasks<Mails>;
let client: pg.Client;
const options = {
  prefix: 'tasks',
  enqueueTimeout: '2s',
  queues: { small: { maxQueued: 2 }, ordered: { priorities: true } },
} as const;

beforeAll(async () => {
  database = await createDatabase(process.env['TEST_POSTGRES_URL'] as string);
  booted = await boot({ connection: database.url, ...options }, [Mails]);
  mails = booted.queue.of(Mails);
  const admin = await connect();
  await admin.query('CREATE TABLE orders (id integer PRIMARY KEY)');
  await admin.end();
});
afterAll(async () => {
  await booted.app.close();
  await database.drop();
});
beforeEach(async () => {
  client = await connect();
});
afterEach(async () => {
  await client.end().catch(() => undefined);
});

async function connect(): Promise<pg.Client> {
  const connected = new pg.Client(database.url);
  connected.on('error', () => undefined);
  await connected.connect();
  return connected;
}

/** The statements that run on a client from now on. */
function statementsOn(of: pg.Client): string[] {
  const statements: string[] = [];
  const query = of.query.bind(of) as (...args: unknown[]) => unknown;
  of.query = ((...args: unknown[]) => {
    statements.push(String(args[0]));
    return query(...args);
  }) as never;
  return statements;
}

/** Which of the orders are stored. */
async function orders(): Promise<number[]> {
  const { rows } = await client.query<{ id: number }>('SELECT id FROM orders ORDER BY id');
  return rows.map(({ id }) => id);
}

describe('a call in a transaction', () => {
  it('exists and runs after the commit, not before', async () => {
    await client.query('BEGIN');
    await client.query('INSERT INTO orders VALUES (1)');
    const handle = await mails.send.in(client).enqueue(1);
    expect(handle).toMatchObject({ name: 'Mails.send', deduplicated: false, initialState: 'queued' });
    await expect(handle.status()).rejects.toThrow(TaskNotFoundError);
    await client.query('COMMIT');
    expect(await handle.result({ timeout: '10s' })).toBe(1);
    expect(await orders()).toContain(1);
  });

  it('does not exist after a rollback', async () => {
    await client.query('BEGIN');
    await client.query('INSERT INTO orders VALUES (2)');
    const handle = await mails.send.in(client).enqueue(2);
    await client.query('ROLLBACK');
    await expect(handle.status()).rejects.toThrow(TaskNotFoundError);
    await expect(handle.result({ timeout: '300ms' })).rejects.toThrow(TaskNotFoundError);
    expect(await orders()).not.toContain(2);
  });

  it('does not exist when the connection breaks', async () => {
    await client.query('BEGIN');
    const handle = await mails.send.in(client).enqueue(3);
    const admin = await connect();
    await admin.query('SELECT pg_terminate_backend($1)', [(client as unknown as { processID: number }).processID]);
    await admin.end();
    await expect(handle.result({ timeout: '300ms' })).rejects.toThrow(TaskNotFoundError);
  });

  it('takes one statement, and changes nothing of the session', async () => {
    await client.query(`SET search_path = pg_catalog; SET lock_timeout = '7s'; SET TIME ZONE 'Asia/Tokyo'`);
    const settings = async () =>
      (await client.query(`SELECT name, setting FROM pg_settings WHERE strpos(name, '.') = 0`)).rows;
    const before = await settings();
    const statements = statementsOn(client);
    await client.query('BEGIN');
    await mails.send.in(client).enqueue(1);
    await mails.send.in(client).enqueueMany(Array.from({ length: 50 }, (_, index) => [index]));
    await mails.report.in(client).enqueue('2026-01');
    await mails.report.in(client).enqueueMany([['2026-02'], ['2026-01'], ['2026-03']]);
    await chain(mails.add.signature(1, 2), mails.add.signature(3)).in(client).enqueue();
    expect(statements).toHaveLength(6);
    expect(await settings()).toEqual(before);
    await client.query('ROLLBACK');
    expect(await settings()).toEqual(before);
  });

  it('200 calls in one transaction run', async () => {
    await client.query('BEGIN');
    const handles = [];
    for (let order = 0; order < 200; order++) handles.push(await mails.send.in(client).enqueue(order));
    await client.query('COMMIT');
    expect(await Promise.all(handles.map((handle) => handle.result({ timeout: '20s' })))).toEqual(
      Array.from({ length: 200 }, (_, order) => order),
    );
  });

  it('a savepoint that is rolled back takes its calls along, and no others', async () => {
    await client.query('BEGIN');
    const first = await mails.send.in(client).enqueue(1);
    await client.query('SAVEPOINT inner_one');
    const second = await mails.send.in(client).enqueue(2);
    const report = await mails.report.in(client).enqueue('savepoint');
    await client.query('ROLLBACK TO SAVEPOINT inner_one');
    const third = await mails.send.in(client).enqueue(3);
    await client.query('COMMIT');
    expect(await first.result({ timeout: '10s' })).toBe(1);
    expect(await third.result({ timeout: '10s' })).toBe(3);
    await expect(second.status()).rejects.toThrow(TaskNotFoundError);
    await expect(report.status()).rejects.toThrow(TaskNotFoundError);
  });

  it.each(['SERIALIZABLE', 'REPEATABLE READ'])('works in a transaction that is %s', async (isolation) => {
    await client.query(`BEGIN ISOLATION LEVEL ${isolation}`);
    await client.query('SELECT * FROM orders');
    // The workers store and remove events meanwhile.
    await Promise.all(
      (await mails.send.enqueueMany([[1], [2], [3]])).map((handle) => handle.result({ timeout: '10s' })),
    );
    const handle = await mails.send.in(client).enqueue(7);
    const report = await mails.report.in(client).enqueue(isolation);
    await client.query('COMMIT');
    expect(await handle.result({ timeout: '10s' })).toBe(7);
    expect(await report.result({ timeout: '10s' })).toBe(isolation);
  });
});

describe('what is stored', () => {
  /** Everything that is stored of a task and its members, without what belongs to this one call. */
  async function rowsOf(id: string): Promise<unknown> {
    const admin = await connect();
    const { rows } = await admin.query(
      `WITH RECURSIVE tree AS (
         SELECT job.*, 0 AS depth FROM tasks.job WHERE id = $1
         UNION ALL SELECT job.*, depth + 1 FROM tasks.job JOIN tree ON job.parent_id = tree.id)
       SELECT depth, queue, name, state, data, opts, priority, delay_ms, max_attempts, attempts_made, attempts_started, progress,
              return_value, failed_reason, stacktrace, deferred_failure, process_at_ms - added_at_ms AS due, dedup_id, scheduler_id,
              parent_queue, parent_id, parent_key, pending_deps, lock_token, stalled_count, id, added_at_ms, seq,
              (SELECT json_agg(to_jsonb(d) ORDER BY child.seq) FROM tasks.job_dependency d
                JOIN tasks.job child ON child.queue = d.child_queue AND child.id = d.child_id
                WHERE d.parent_queue = tree.queue AND d.parent_id = tree.id) AS dependencies,
              (SELECT json_agg(json_build_array(event, data) ORDER BY e.id) FROM tasks.event e WHERE data ->> 'jobId' = tree.id) AS events,
              (SELECT json_agg(json_build_array(dedup_id, expire_at_ms - added_at_ms)) FROM tasks.dedup WHERE job_id = tree.id) AS keys
         FROM tree ORDER BY depth, queue, name, seq`,
      [id],
    );
    await admin.end();
    // What a job tells of the process that stored it: the worker counts the calls of transactions, which are marked for it, and nothing waits
    // for a call before its commit.
    for (const { data } of rows) {
      delete data.by;
      delete data.inbox;
    }
    let text = JSON.stringify(rows.map((row) => ({ ...row, seq: undefined, added_at_ms: undefined })));
    for (const [index, row] of rows.entries()) text = text.replaceAll(row.id, `id ${index}`);
    // The two calls come milliseconds after each other.
    return JSON.parse(text, (_, value: unknown) => {
      const number =
        typeof value === 'number' || (typeof value === 'string' && /^\d+$/.test(value)) ? Number(value) : 0;
      if (number > 1_700_000_000_000) return 'a time';
      return number > 10_000 ? Math.round(number / 10_000) : value;
    }) as unknown;
  }

  const place = { queue: 'nobody' };
  it.each<[string, (of: Tasks<Mails>) => { in(tx: object): unknown; outside(): unknown }, unknown[]?]>([
    ['a call', (of) => of.send.with(place), [1]],
    [
      'a call with options',
      (of) => of.send.with({ ...place, delay: '1h', expires: '2h', retries: 3, timeout: '5s', headers: { a: 'b' } }),
      [1],
    ],
    ['a call with priority', (of) => of.send.with({ queue: 'ordered', priority: 7, delay: '1h' }), [1]],
    ['a call with a key', (of) => of.send.with({ ...place, idempotencyKey: 'key' }), [1]],
    ['a unique call', (of) => of.report.with(place), ['same']],
    [
      'a chain',
      (of) => chain(of.send.with(place).signature(1), of.send.with({ queue: 'nobody_else', retries: 2 }).signature()),
    ],
    [
      'a group',
      (of) => group([of.send.with(place).signature(1), of.send.with({ ...place, delay: '1h' }).signature(2)]),
    ],
    [
      'a chord',
      (of) =>
        chord([of.send.with(place).signature(1), of.send.with(place).signature(2)], of.sum.with(place).signature()),
    ],
    [
      'a group that collects',
      (of) => group([of.send.with(place).signature(1), of.send.with(place).signature(2)], { onFailure: 'collect' }),
    ],
    ['a task with links', (of) => of.send.with(place).signature(1).onSuccess(of.send.with(place).signature())],
  ])('%s is stored as outside of the transaction', async (_, callOf, args = []) => {
    const enqueue = async (call: unknown) =>
      (call as { enqueue(...list: unknown[]): Promise<{ id: string; forget(): Promise<boolean> }> }).enqueue(...args);
    const direct = await enqueue(callOf(mails).outside());
    const expected = await rowsOf(direct.id);
    // The same key again.
    const admin = await connect();
    await admin.query('DELETE FROM tasks.dedup WHERE job_id = $1', [direct.id]);
    await admin.end();
    await client.query('BEGIN');
    const inside = await enqueue(callOf(mails).in(client));
    await client.query('COMMIT');
    expect(await rowsOf(inside.id)).toEqual(expected);
  });

  it('a workflow runs after the commit', async () => {
    await client.query('BEGIN');
    const handle = await chord([mails.add.signature(1, 2), mails.add.signature(3, 4)], mails.sum.signature())
      .in(client)
      .enqueue();
    expect(handle.initialState).toBe('waiting');
    await expect(handle.status()).rejects.toThrow(TaskNotFoundError);
    await client.query('COMMIT');
    expect(await handle.result({ timeout: '10s' })).toBe(10);
  });
});

describe('keys', () => {
  it('an earlier task stands for the call, in the transaction and outside of it', async () => {
    const { id } = await mails.report.with({ queue: 'nobody' }).enqueue('earlier');
    await client.query('BEGIN');
    const report = mails.report.with({ queue: 'nobody' }).in(client);
    expect(await report.enqueue('earlier')).toMatchObject({ id, deduplicated: true, initialState: 'queued' });
    const [one, two, three] = await report.enqueueMany([['new'], ['earlier'], ['new']]);
    expect(two).toMatchObject({ id, deduplicated: true });
    expect(three).toMatchObject({ id: one?.id, deduplicated: true });
    expect(await report.enqueue('new')).toMatchObject({ id: one?.id, deduplicated: true });
    await client.query('COMMIT');
    expect(await mails.report.with({ queue: 'nobody' }).enqueue('new')).toMatchObject({
      id: one?.id,
      deduplicated: true,
    });
  });

  it('a task that has ended stands for the call as long as its key says', async () => {
    const ended = await mails.report.enqueue('ended');
    await ended.result({ timeout: '10s' });
    const retained = await mails.send.with({ idempotencyKey: 'ended' }).enqueue(1);
    await retained.result({ timeout: '10s' });
    const cancelled = await mails.report.with({ queue: 'nobody' }).enqueue('cancelled');
    await cancelled.cancel();
    await client.query('BEGIN');
    expect(await mails.report.in(client).enqueue('ended')).toMatchObject({ deduplicated: false });
    expect(await mails.report.with({ queue: 'nobody' }).in(client).enqueue('cancelled')).toMatchObject({
      deduplicated: false,
    });
    expect(await mails.send.with({ idempotencyKey: 'ended' }).in(client).enqueue(1)).toMatchObject({
      id: retained.id,
      deduplicated: true,
      initialState: 'succeeded',
    });
    await client.query('COMMIT');
  });

  it('other arguments under an idempotency key are an error that leaves the transaction usable', async () => {
    const { id } = await mails.send.with({ idempotencyKey: 'conflict' }).enqueue(1);
    await client.query('BEGIN');
    await client.query('INSERT INTO orders VALUES (10)');
    const send = mails.send.with({ idempotencyKey: 'conflict' }).in(client);
    const error = await send.enqueue(2).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(IdempotencyConflictError);
    expect(String(error)).toContain(id);
    const fresh = mails.send.with({ idempotencyKey: 'fresh' }).in(client);
    await expect(fresh.enqueueMany([[1], [2]])).rejects.toThrow(IdempotencyConflictError);
    // Nothing of that call is stored.
    expect(await fresh.enqueue(3)).toMatchObject({ deduplicated: false });
    await client.query('COMMIT');
    expect(await orders()).toContain(10);
  });

  it('a full queue is an error that leaves the transaction usable', async () => {
    await client.query('BEGIN');
    const small = mails.send.with({ queue: 'small' }).in(client);
    await expect(small.enqueueMany([[1], [2], [3]])).rejects.toThrow(QueueFullError);
    await small.enqueue(1);
    await client.query('COMMIT');
  });

  it('another caller of a key that an open transaction has stored waits, at most enqueueTimeout', async () => {
    await client.query('BEGIN');
    await mails.report.with({ queue: 'nobody' }).in(client).enqueue('open');
    const other = await connect();
    await other.query('BEGIN');
    const began = performance.now();
    await expect(mails.report.with({ queue: 'nobody' }).in(other).enqueue('open')).rejects.toThrow(
      EngineUnavailableError,
    );
    const refused = mails.report.with({ queue: 'nobody' }).enqueue('open');
    await expect(refused).rejects.toThrow(EngineUnavailableError);
    await expect(refused).rejects.toThrow('Another transaction has stored a task with the same key');
    expect(performance.now() - began).toBeLessThan(8_000);
    // The other transaction is still usable, and the key free once the first one has ended.
    const waiting = mails.report.with({ queue: 'nobody' }).in(other).enqueue('open');
    await client.query('ROLLBACK');
    expect(await waiting).toMatchObject({ deduplicated: false });
    await other.query('COMMIT');
    await other.end();
  });

  it('a caller that waits for a key holds up no other caller, however many wait', async () => {
    const report = mails.report.with({ queue: 'nobody' });
    await client.query('BEGIN');
    await report.in(client).enqueue('locked');
    let waitingCallers = 0;
    const wait = async (month: string) => {
      waitingCallers++;
      return report.enqueue(month).finally(() => waitingCallers--);
    };
    const behind = [wait('locked')];
    // Calls of the same turn of the event loop share a statement.
    const others = [report.enqueue('not locked'), mails.send.with({ queue: 'nobody' }).enqueue(1)];
    await Promise.all(others);
    // More callers than the process has connections.
    for (let caller = 0; caller < 25; caller++) {
      behind.push(wait('locked'));
      await new Promise(setImmediate);
    }
    await mails.send.with({ queue: 'nobody' }).enqueueMany([[2], [3]]);
    await (await others[0])?.status();
    expect(waitingCallers).toBe(26);
    await client.query('ROLLBACK');
    const handles = await Promise.all(behind);
    expect(new Set(handles.map(({ id }) => id)).size).toBe(1);
    expect(handles.filter(({ deduplicated }) => !deduplicated)).toHaveLength(1);
  });

  it('two transactions that store the same keys in opposite order: at least one commits, the other gets the deadlock', async () => {
    const other = await connect();
    const report = mails.report.with({ queue: 'nobody' });
    await client.query('BEGIN');
    await other.query('BEGIN');
    await report.in(client).enqueue('left');
    await report.in(other).enqueue('right');
    const results = await Promise.allSettled([report.in(client).enqueue('right'), report.in(other).enqueue('left')]);
    const refused = results.flatMap((result) =>
      result.status === 'rejected' ? [result.reason as { code?: string }] : [],
    );
    expect(refused.map(({ code }) => code)).toEqual(['40P01']);
    await client.query('COMMIT');
    await other.query('COMMIT');
    // Within one call the order of the keys does not matter.
    await client.query('BEGIN');
    await other.query('BEGIN');
    const both = Promise.all([
      report
        .in(client)
        .enqueueMany([['one'], ['two']])
        .then(() => client.query('COMMIT')),
      report
        .in(other)
        .enqueueMany([['two'], ['one']])
        .then(() => other.query('COMMIT')),
    ]);
    await both;
    await other.end();
  });
});

describe('the database of the transaction', () => {
  it('another database with the same schema stores nothing, and its transaction goes on', async () => {
    const twin = await createDatabase(process.env['TEST_POSTGRES_URL'] as string);
    const twinApp = await boot({ connection: twin.url, ...options }, [Mails]);
    await twinApp.queue.of(Mails).send.with({ queue: 'nobody' }).enqueue(0);
    // Its store gets a secret of its own.
    const twinClient = new pg.Client(twin.url);
    await twinClient.connect();
    await twinClient.query('BEGIN; CREATE TABLE orders (id integer); INSERT INTO orders VALUES (1)');
    await expect(mails.send.in(twinClient).enqueue(1)).rejects.toThrow(ConfigurationError);
    await twinClient.query('COMMIT');
    expect((await twinClient.query('SELECT * FROM orders')).rows).toHaveLength(1);
    expect(
      (await twinClient.query(`SELECT * FROM tasks.job WHERE name = 'Mails.send' AND queue <> 'nobody'`)).rows,
    ).toEqual([]);
    await twinClient.end();
    await twinApp.app.close();
    await twin.drop();
  });

  it('a database without the schema is a ConfigurationError', async () => {
    const bare = await createDatabase(process.env['TEST_POSTGRES_URL'] as string);
    const bareClient = new pg.Client(bare.url);
    await bareClient.connect();
    await bareClient.query('BEGIN');
    await expect(mails.send.in(bareClient).enqueue(1)).rejects.toThrow(ConfigurationError);
    await bareClient.query('ROLLBACK');
    await bareClient.end();
    await bare.drop();
  });
});

describe('waiting for a task of a transaction', () => {
  it('inside of the transaction it is an error at once', async () => {
    await client.query('BEGIN');
    const handle = await mails.send.in(client).enqueue(1);
    const began = performance.now();
    await expect(handle.result()).rejects.toThrow(/has not committed, and result\(\) was called inside of it/);
    await expect(handle.result()).rejects.toThrow(TaskNotFoundError);
    expect(performance.now() - began).toBeLessThan(2_000);
    await client.query('COMMIT');
    expect(await handle.result({ timeout: '10s' })).toBe(1);
  });

  it('elsewhere, a caller waits for the commit', async () => {
    // As code that has got the handle by another way than the transaction's.
    const inTransaction = async () => {
      await Promise.resolve();
      await client.query('BEGIN');
      return { handle: await mails.send.in(client).enqueue(5) };
    };
    const { handle } = await inTransaction();
    const waiting = handle.result({ timeout: '10s' });
    // This process has looked for the tasks that it waits for.
    expect(await (await mails.send.enqueue(6)).result({ timeout: '10s' })).toBe(6);
    await client.query('COMMIT');
    expect(await waiting).toBe(5);
  });
});

it('a transaction that is open for long holds nothing else up', async () => {
  await client.query('BEGIN');
  const held = await mails.send.in(client).enqueue(100);
  await mails.report.in(client).enqueue('held');
  const others = await mails.send.enqueueMany(Array.from({ length: 100 }, (_, order) => [order]));
  await Promise.all(others.map((handle) => handle.result({ timeout: '10s' })));
  expect(await (await mails.report.enqueue('other')).result({ timeout: '10s' })).toBe('other');
  await booted.app.get(TaskAdmin).pause('reports');
  await booted.app.get(TaskAdmin).resume('reports');
  await client.query('COMMIT');
  expect(await held.result({ timeout: '10s' })).toBe(100);
});
