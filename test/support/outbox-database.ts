import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'libsql';
import mysql from 'mysql2/promise';
import pg from 'pg';
import type { TransactionAdapter } from 'nestjs-task-queue';
import { tableStatements, type Dialect } from '../../lib/transactions/outbox/outbox-table.js';
import { createDatabase, startMariadb } from './servers.js';

/** A transaction of an application. */
export interface TestTransaction {
  readonly adapter: TransactionAdapter;
  commit(): Promise<void>;
  rollback(): Promise<void>;
}

type Row = Record<string, unknown>;

/** The database of an application, with an outbox. */
export interface TestDatabase {
  readonly dialect: Dialect;
  readonly url: string;
  begin(): Promise<TestTransaction>;
  /** Runs a statement by itself. */
  query(text: string): Promise<readonly Row[]>;
  close(): Promise<void>;
}

/** Creates a database with the table. `sqlite without a log` is SQLite as it is by itself, without the write-ahead log. */
export async function createOutbox(kind: Dialect | 'sqlite without a log'): Promise<TestDatabase> {
  const database = await OPENERS[kind]();
  for (const statement of tableStatements(database.dialect)) await database.query(statement);
  return database;
}

/** Runs `work` in a transaction and commits it. */
export async function transact<T>(
  database: TestDatabase,
  work: (transaction: TransactionAdapter) => Promise<T>,
): Promise<T> {
  const { adapter, commit, rollback } = await database.begin();
  try {
    const result = await work(adapter);
    await commit();
    return result;
  } catch (error) {
    await rollback();
    throw error;
  }
}

const OPENERS: Readonly<Record<Dialect | 'sqlite without a log', () => Promise<TestDatabase>>> = {
  postgres,
  mysql: mariadb,
  sqlite: () => sqlite('WAL'),
  'sqlite without a log': () => sqlite('DELETE'),
};

async function postgres(): Promise<TestDatabase> {
  const { url, drop } = await createDatabase(process.env['TEST_POSTGRES_URL'] as string);
  return postgresAt(url, drop);
}

/** The outbox of a PostgreSQL that the test has started. */
export function postgresAt(url: string, drop: () => Promise<void> = async () => undefined): TestDatabase {
  const pool = new pg.Pool({ connectionString: url, max: 20 });
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined));
  return {
    dialect: 'postgres',
    url,
    async begin() {
      const client = await pool.connect();
      await client.query('BEGIN');
      const end = (statement: string) => async () => {
        await client.query(statement);
        client.release();
      };
      return {
        adapter: {
          dialect: 'postgres',
          query: async (text, params) => (await client.query<Row>(text, [...params])).rows,
        },
        commit: end('COMMIT'),
        rollback: end('ROLLBACK'),
      };
    },
    query: async (text) => (await pool.query<Row>(text)).rows,
    async close() {
      await pool.end();
      await drop();
    },
  };
}

async function mariadb(): Promise<TestDatabase> {
  const server = await startMariadb();
  const pool = mysql.createPool({ uri: server.url, connectionLimit: 20 });
  const rowsOf = (result: unknown) => (Array.isArray(result) ? (result as Row[]) : []);
  return {
    dialect: 'mysql',
    url: server.url,
    async begin() {
      const connection = await pool.getConnection();
      await connection.beginTransaction();
      const end = (run: () => Promise<void>) => async () => {
        await run();
        connection.release();
      };
      return {
        adapter: {
          dialect: 'mysql',
          query: async (text, params) => rowsOf((await connection.query(text, [...params]))[0]),
        },
        commit: end(() => connection.commit()),
        rollback: end(() => connection.rollback()),
      };
    },
    query: async (text) => rowsOf((await pool.query(text))[0]),
    async close() {
      await pool.end();
      await server.close();
    },
  };
}

/** SQLite has one transaction for each connection, so each one here has a connection of its own. */
async function sqlite(journal: 'WAL' | 'DELETE'): Promise<TestDatabase> {
  const folder = await mkdtemp(join(tmpdir(), 'task-queue-sqlite-'));
  const file = join(folder, 'app.db');
  const open = () => {
    const database = new Database(file);
    database.exec('PRAGMA busy_timeout = 5000');
    return database;
  };
  const main = open();
  main.exec(`PRAGMA journal_mode = ${journal}`);
  const run = (database: InstanceType<typeof Database>, text: string, params: readonly unknown[] = []): Row[] => {
    const statement = database.prepare(text);
    if (/^\s*SELECT/i.test(text)) return statement.all(...params) as Row[];
    statement.run(...params);
    return [];
  };
  return {
    dialect: 'sqlite',
    url: `sqlite:${file}`,
    async begin() {
      const database = open();
      database.exec('BEGIN');
      const end = (statement: string) => async () => {
        database.exec(statement);
        database.close();
      };
      return {
        adapter: { dialect: 'sqlite', query: async (text, params) => run(database, text, params) },
        commit: end('COMMIT'),
        rollback: end('ROLLBACK'),
      };
    },
    query: async (text) => run(main, text),
    async close() {
      main.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
