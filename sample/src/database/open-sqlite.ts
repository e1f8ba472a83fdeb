import Sqlite from 'libsql';
import { mkdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

/** The folder for the data of the sample. Its web and worker processes share it. */
export const DATA_FOLDER = resolve(process.env.SAMPLE_DATA ?? '.sample-data');

/** The database of the application: posts, reviews, quotes and counts, and the calls of open transactions. */
export const DATABASE_FILE = join(DATA_FOLDER, 'sample.db');

/** Opens a file of SQLite that several processes use at the same time. */
export function openSqlite(file: string, schema: string): InstanceType<typeof Sqlite> {
  mkdirSync(dirname(file), { recursive: true });
  const sqlite = new Sqlite(file);
  sqlite.exec('PRAGMA busy_timeout = 5000');
  sqlite.exec('PRAGMA journal_mode = WAL');
  sqlite.exec('PRAGMA synchronous = NORMAL');
  sqlite.exec(schema);
  return sqlite;
}
