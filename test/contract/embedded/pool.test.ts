import { beforeAll, afterAll, describe, expect, it } from '@jest/globals';
import type { PgNotification, PgPool } from 'bullmq';
import { type EmbeddedDatabase, openEmbeddedDatabase } from '../../../lib/engine/bullmq/embedded/embedded-database.js';
import { ARRAY_TYPES } from '../../../lib/engine/bullmq/embedded/patched-array-types.js';
import { withPreparedDatabase } from '../../support/embedded.js';

withPreparedDatabase();
let database: EmbeddedDatabase;
let pool: PgPool;

beforeAll(async () => {
  database = await openEmbeddedDatabase({ schema: 'tasks', logger: console });
  pool = database.pool;
  await pool.query('CREATE TABLE note (text text)');
});
afterAll(() => database.close());

const notes = async () =>
  (await pool.query<{ text: string }>('SELECT text FROM note ORDER BY text')).rows.map(({ text }) => text);

describe('the pool of an embedded database', () => {
  describe('arrays', () => {
    it('the numbers of the array types are those of PostgreSQL', async () => {
      const { rows } = await pool.query<{ name: keyof typeof ARRAY_TYPES; type: number; array: number }>(
        'SELECT typname AS name, oid AS type, typarray AS array FROM pg_type WHERE typname = ANY($1::text[])',
        [Object.keys(ARRAY_TYPES)],
      );
      expect(Object.fromEntries(rows.map(({ name, type, array }) => [name, [type, array]]))).toEqual(ARRAY_TYPES);
    });

    it.each([
      ['text', ['a', 'b"c', 'd,{e}', '', null]],
      ['varchar', ['a b']],
      ['int2', [1]],
      ['int4', [1, -2, null]],
      // As pg gives them.
      ['int8', ['9007199254740993']],
      ['oid', [26]],
      ['float8', [0.5]],
      ['bool', [true, false]],
      ['uuid', ['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11']],
      ['jsonb', [{ a: ['"', null] }]],
      ['json', [{ b: 1 }]],
      ['timestamptz', [new Date(1_795_000_000_000)]],
    ])('%s[] goes in and comes out', async (type, values) => {
      const { rows } = await pool.query<{ values: unknown }>(`SELECT $1::${type}[] AS values`, [values]);
      expect(rows).toEqual([{ values }]);
    });
  });

  describe('transactions', () => {
    it('a transaction makes the statements of other clients wait until it has ended', async () => {
      await pool.query('TRUNCATE note');
      const [client, other] = [await pool.connect(), await pool.connect()];
      const order: string[] = [];
      const run = (name: string, result: Promise<unknown>) => result.then(() => order.push(name));

      await client.query('BEGIN');
      const outside = [run('other', other.query("INSERT INTO note VALUES ('other')")), run('pool', notes())];
      await run('client', client.query('INSERT INTO note VALUES ($1)', ['client']));
      await run('client', client.query('ROLLBACK'));
      await Promise.all(outside);
      expect(order).toEqual(['client', 'client', 'other', 'pool']);
      expect(await notes()).toEqual(['other']);
      client.release();
      other.release();
    });

    it('parallel transactions run one after the other, also when one fails', async () => {
      await pool.query('TRUNCATE note');
      const transaction = async (text: string, statement: string) => {
        const client = await pool.connect();
        try {
          await client.query('BEGIN');
          await client.query('INSERT INTO note VALUES ($1)', [text]);
          await client.query(statement);
          await client.query('COMMIT');
        } catch (error) {
          await client.query('ROLLBACK');
          throw error;
        } finally {
          client.release();
        }
      };
      const results = await Promise.allSettled([
        transaction('first', 'SELECT 1'),
        transaction('second', 'SELECT 1 / 0'),
        transaction('third', 'SELECT 1'),
      ]);
      expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
      expect(await notes()).toEqual(['first', 'third']);
    });

    it('the pool rolls back an open transaction when its client is released', async () => {
      await pool.query('TRUNCATE note');
      const client = await pool.connect();
      await client.query('BEGIN');
      void client.query("INSERT INTO note VALUES ('lost')");
      client.release();
      expect(await notes()).toEqual([]);
    });

    it('the pool rolls back a BEGIN without a client, because no caller could end that transaction', async () => {
      await pool.query('BEGIN');
      expect(await notes()).toEqual([]);
    });

    it('close() rolls back an open transaction and does not wait for its client', async () => {
      const own = await openEmbeddedDatabase({ schema: 'tasks', logger: console });
      const client = await own.pool.connect();
      await client.query('BEGIN');
      const waiting = own.pool.query('SELECT 1 AS one');
      await own.close();
      expect((await waiting).rows).toEqual([{ one: 1 }]);
    });

    it('the pool runs queries while 20 clients are checked out', async () => {
      const clients = await Promise.all(Array.from({ length: 20 }, () => pool.connect()));
      await Promise.all(clients.map((client) => client.query('LISTEN somewhere')));
      expect((await pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
      clients.forEach((client) => client.release());
    });
  });

  describe('values', () => {
    it.each([
      ['9007199254740993::int8', '9007199254740993'],
      ['count(*)', '1'],
      ['1::int4', 1],
      ['1.5::numeric', '1.5'],
      ["'{}'::jsonb", {}],
      [`'[1, "two"]'::json`, [1, 'two']],
      ["'text'::text", 'text'],
      ["ARRAY['a', 'b']", ['a', 'b']],
      ['ARRAY[1, 2]::int8[]', ['1', '2']],
      ["'waiting'::job_state", 'waiting'],
      ["'2026-11-22T10:00:00Z'::timestamptz", new Date('2026-11-22T10:00:00Z')],
      ['true', true],
      ['NULL', null],
    ])('the pool returns %s as pg does', async (expression, expected) => {
      const { rows } = await pool.query(`SELECT ${expression} AS value`);
      expect(rows).toEqual([{ value: expected }]);
      const withParameters = await pool.query(`SELECT ${expression} AS value WHERE $1`, [true]);
      expect(withParameters.rows).toEqual([{ value: expected }]);
    });

    it('the pool takes parameters as pg does', async () => {
      const { rows } = await pool.query(
        'SELECT $1::text[] AS texts, $2::bigint[] AS numbers, $3::jsonb AS json, $4::bigint AS number, $5::text AS nothing',
        [['a', '"b", {c}'], [1, 2], JSON.stringify({ deep: ['✓'] }), Date.UTC(2026), undefined],
      );
      expect(rows).toEqual([
        {
          texts: ['a', '"b", {c}'],
          numbers: ['1', '2'],
          json: { deep: ['✓'] },
          number: `${Date.UTC(2026)}`,
          nothing: null,
        },
      ]);
    });

    it('the pool runs several statements in one text, and counts their rows as pg does', async () => {
      const { rowCount } = await pool.query('TRUNCATE note; INSERT INTO note SELECT generate_series(1, 3)');
      expect(rowCount).toBe(3);
      expect((await pool.query("DELETE FROM note WHERE text > '1'")).rowCount).toBe(2);
      expect((await pool.query("SET application_name TO 'x'")).rowCount).toBeNull();
    });

    it('an error of a statement has the code and the detail that pg gives', async () => {
      const refused = pool.query("DO $$ BEGIN RAISE 'no' USING ERRCODE = 'BM001', DETAIL = '-3'; END $$");
      await expect(refused).rejects.toMatchObject({ code: 'BM001', detail: '-3', message: 'no' });
    });

    it('an error of a statement does not contain the values of the parameters', async () => {
      const error: unknown = await pool.query('SELECT $1::int', ['secret-4711']).catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: '22P02' });
      expect(error).not.toHaveProperty('params');
      expect(error).not.toHaveProperty('query');
    });
  });

  describe('notifications', () => {
    const record = (into: PgNotification[]) => (notification: PgNotification) => into.push(notification);

    it('a notification reaches every client that listens, and no other client', async () => {
      const clients = await Promise.all([pool.connect(), pool.connect(), pool.connect()]);
      const received: PgNotification[][] = [[], [], []];
      clients.forEach((client, index) => client.on('notification', record(received[index]!)));
      await clients[0].query('LISTEN one');
      await clients[1].query('-- why\nLISTEN one;\n');
      await clients[1].query('LISTEN "A:two"');
      await clients[2].query('LISTEN two');
      await clients[2].query('UNLISTEN two');
      await pool.query(`SELECT pg_notify('one', 'a'), pg_notify('A:two', 'b'), pg_notify('two', 'c')`);
      await pool.query('SELECT 1');
      expect(received).toEqual([
        [{ channel: 'one', payload: 'a' }],
        [
          { channel: 'one', payload: 'a' },
          { channel: 'A:two', payload: 'b' },
        ],
        [],
      ]);
      clients.forEach((client) => client.release());
    });

    it('a notification without a JavaScript listener reaches the next listener, once', async () => {
      const client = await pool.connect();
      await client.query('LISTEN jobs');
      await pool.query("SELECT pg_notify('jobs', 'a')");
      await pool.query("SELECT pg_notify('jobs', 'a')");
      const [first, second]: PgNotification[][] = [[], []];
      const listener = record(first!);
      client.on('notification', listener);
      await pool.query('SELECT 1');
      client.removeListener('notification', listener);
      client.on('notification', record(second!));
      await pool.query('SELECT 1');
      expect(first).toEqual([{ channel: 'jobs', payload: 'a' }]);
      expect(second).toEqual([]);
      client.release();
    });
  });

  it('the pool vacuums dead rows, because PGlite has no autovacuum process', async () => {
    await pool.query("TRUNCATE note; INSERT INTO note VALUES ('')");
    for (let update = 0; update < 3_000; update++) await pool.query('UPDATE note SET text = $1', ['x'.repeat(1_000)]);
    const { rows } = await pool.query<{ pages: number }>("SELECT pg_relation_size('note')::int / 8192 AS pages");
    // 3,000 dead rows would fill 430 pages.
    expect(rows[0]!.pages).toBeLessThan(300);
  }, 120_000);
});
