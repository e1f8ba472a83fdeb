import { PostgresDialect, SqliteDialect } from 'kysely';
import pg from 'pg';
import { Database } from './database.js';
import { DATABASE_FILE, openSqlite } from './open-sqlite.js';
import { OUTBOX_TABLE, TABLES } from './schema.js';

/** The same number in all processes, so that one of them creates the tables. */
const SCHEMA_LOCK = 17_117;

/** @param url of a PostgreSQL database; without it, the database is a file of SQLite */
export function openDatabase(url: string | undefined): Database | Promise<Database> {
  return url === undefined ? openSqliteDatabase(DATABASE_FILE) : openPostgresDatabase(url);
}

/** @param file the path of the file, or `:memory:` in tests */
export function openSqliteDatabase(file: string): Database {
  return new Database(new SqliteDialect({ database: openSqlite(file, TABLES + OUTBOX_TABLE) }));
}

async function openPostgresDatabase(connectionString: string): Promise<Database> {
  const pool = new pg.Pool({ connectionString, max: 5 });
  // A connection that breaks while nobody uses it is replaced by the next one.
  pool.on('error', () => undefined);
  await pool.query(`BEGIN; SELECT pg_advisory_xact_lock(${SCHEMA_LOCK}); ${TABLES} COMMIT;`);
  return new Database(new PostgresDialect({ pool }));
}
