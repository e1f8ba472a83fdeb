import { resolve } from 'node:path';
import type { PGlite } from '@electric-sql/pglite';
import type { PgPool } from 'bullmq';
import type { AnswerRequest } from '../../ports/request-port.js';
import { bullmq } from '../bullmq-package.cjs';
import { type EmbeddedLogger, openFolder, openInMemory, type ReadPrepared } from './data-directory.js';
import { type FolderLock, lockFolder } from './lock/folder-lock.js';
import { loadPGlite } from './start-pglite.js';
import { PGlitePool } from './pool/pglite-pool.js';
import { schemaVersion } from '../postgres/postgres-schema.js';
import { readPreparedDatabase } from './prepared-database.js';
import { asFolderError, checkFolder, makeUsableFolder } from './usable-folder.js';
import { pgliteStarter } from './start-pglite.js';

/** The options of {@link openEmbeddedDatabase}. */
export interface EmbeddedOptions {
  /**
   * The folder of the database, relative to the working directory. It is created when it is missing. Default: the
   * database is in memory.
   */
  readonly folder?: string;
  /** The schema of BullMQ's tables: a simple identifier of at most 63 characters. The folder may contain several. */
  readonly schema: string;
  readonly logger: EmbeddedLogger;
  /** Answers the requests of other processes of the same user, which cannot open the folder while this process has it open. */
  readonly answer?: AnswerRequest;
  /** For tests: reads another prepared database, or none. */
  readonly readPrepared?: ReadPrepared;
}

/** A PostgreSQL database inside this process, with BullMQ's tables. */
export interface EmbeddedDatabase {
  /** For any number of BullMQ objects. The schema is its `search_path`, and no migrations are due. */
  readonly pool: PgPool;
  /**
   * Waits for the queries under way, then closes the database and frees the folder. Safe to call twice. Close BullMQ's
   * objects before: the pool rejects their later queries, as a `pg.Pool` does after `end()`.
   */
  close(): Promise<void>;
}

/**
 * Opens an embedded database for BullMQ's PostgreSQL backend.
 *
 * A committed change survives the end of the process, `kill -9` included. It may not survive a power cut, because
 * PGlite leaves it to the operating system when to write to the disk.
 *
 * @throws ConfigurationError when `@electric-sql/pglite` is not installed, or when the folder cannot be used, is in use
 * by another application, or was written by another version. Nothing stays open then, and the folder is unchanged.
 */
export async function openEmbeddedDatabase(options: EmbeddedOptions): Promise<EmbeddedDatabase> {
  const { schema, logger, readPrepared = readPreparedDatabase } = options;
  const folder = options.folder === undefined ? undefined : resolve(options.folder);
  const start = pgliteStarter(await loadPGlite(), schema);
  let lock: FolderLock | undefined;
  let db: PGlite | undefined;
  try {
    if (folder === undefined) {
      db = await openInMemory(start, readPrepared, logger);
    } else {
      await makeUsableFolder(folder);
      lock = await lockFolder(folder, options.answer);
      db = await openFolder(start, folder, readPrepared, logger);
    }
    const pool = new PGlitePool(db, folder === undefined ? undefined : () => checkFolder(folder));
    await migrate(pool, schema);
    return embeddedDatabase(pool, db, lock);
  } catch (error) {
    await db?.close().catch(() => undefined);
    await lock?.release();
    throw (folder !== undefined && asFolderError(error, folder)) || error;
  }
}

/** Makes the tables or brings them up to date. Asks first, which takes a tenth of the time. */
async function migrate(pool: PGlitePool, schema: string): Promise<void> {
  const { installed, latest } = await schemaVersion(pool, schema, 'The embedded engine');
  if (installed >= latest) return;
  const client = await pool.connect();
  try {
    await bullmq.runMigrations(client, schema);
  } finally {
    client.release();
  }
}

function embeddedDatabase(pool: PGlitePool, db: PGlite, lock: FolderLock | undefined): EmbeddedDatabase {
  let closing: Promise<void> | undefined;
  const close = async () => {
    try {
      await pool.end();
      await db.close();
    } finally {
      await lock?.release();
    }
  };
  return { pool, close: () => (closing ??= close()) };
}
