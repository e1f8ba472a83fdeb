import { ConfigurationError } from '../../errors.js';

/** One connection to a file of SQLite. */
export interface SqliteConnection {
  /** Runs a statement and returns its rows; none for a statement that returns none. */
  all(statement: string, params?: readonly (string | number)[]): readonly Readonly<Record<string, unknown>>[];
  /**
   * Runs statements in a transaction that may write, and commits it.
   *
   * @returns `undefined` when another connection writes just now: nothing was done
   */
  write<T>(run: () => T): T | undefined;
  close(): void;
}

/** What better-sqlite3, libsql and `node:sqlite` have in common. */
interface SqliteDatabase {
  prepare(statement: string): SqliteStatement;
  exec(script: string): unknown;
  close(): void;
}

interface SqliteStatement {
  all(...params: readonly (string | number)[]): unknown[];
  run(...params: readonly (string | number)[]): unknown;
}

type Opener = (file: string) => SqliteDatabase;

/**
 * Opens a file with the first of these that is there: better-sqlite3, libsql, and the SQLite that newer versions of Node
 * contain.
 *
 * @throws ConfigurationError when none is there
 */
export async function openSqlite(file: string): Promise<SqliteConnection> {
  const open = (await byPackage('better-sqlite3')) ?? (await byPackage('libsql')) ?? byNode();
  if (!open) {
    throw new ConfigurationError(
      'An outbox in SQLite needs one of the packages better-sqlite3 and libsql, or Node 22.13 or later, which contains SQLite. Run: npm install better-sqlite3',
    );
  }
  const database = open(file);
  // A statement that waits would block the whole process.
  database.exec('PRAGMA busy_timeout = 0');
  return {
    all(statement, params = []) {
      const prepared = database.prepare(statement);
      if (/^SELECT|\bRETURNING\b/.test(statement))
        return prepared.all(...params) as Readonly<Record<string, unknown>>[];
      prepared.run(...params);
      return [];
    },
    write(run) {
      if (!unlessBusy(() => database.exec('BEGIN IMMEDIATE'))) return undefined;
      try {
        const result = run();
        if (unlessBusy(() => database.exec('COMMIT'))) return result;
      } catch (error) {
        database.exec('ROLLBACK');
        throw error;
      }
      // Without the write-ahead log, a connection that reads keeps others from a commit.
      database.exec('ROLLBACK');
      return undefined;
    },
    close: () => database.close(),
  };
}

/** @returns false when another connection has locked the database */
export function unlessBusy(run: () => unknown): boolean {
  try {
    run();
    return true;
  } catch (error) {
    const { code = '', message = '' } = error as { code?: string; message?: string };
    if (/SQLITE_BUSY|SQLITE_LOCKED/.test(code) || /database (table )?is locked/i.test(message)) return false;
    throw error;
  }
}

async function byPackage(name: string): Promise<Opener | undefined> {
  try {
    const { default: Database } = (await import(name)) as { default: new (file: string) => SqliteDatabase };
    return (file) => new Database(file);
  } catch {
    return undefined;
  }
}

function byNode(): Opener | undefined {
  const node = process.getBuiltinModule?.('node:sqlite') as
    | { readonly DatabaseSync: new (file: string) => SqliteDatabase }
    | undefined;
  return node && ((file) => new node.DatabaseSync(file));
}
