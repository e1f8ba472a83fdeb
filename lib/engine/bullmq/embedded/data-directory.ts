import { existsSync } from 'node:fs';
import { readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { PGlite } from '@electric-sql/pglite';
import { ConfigurationError } from '../../../errors.js';
import type { StartPGlite } from './start-pglite.js';
import { unpackTar } from './tar.js';
import { asFolderError } from './usable-folder.js';

/** Reads the prepared database, as `readPreparedDatabase` does; `undefined` when there is none. */
export type ReadPrepared = () => Promise<Buffer | undefined>;

/** Receives the log line that gives the reason of a slow start. Nest's loggers fit. */
export interface EmbeddedLogger {
  log(message: string): void;
}

/** Opens a database that lives as long as the process. */
export async function openInMemory(
  start: StartPGlite,
  readPrepared: ReadPrepared,
  logger: EmbeddedLogger,
): Promise<PGlite> {
  const slow = await tryPrepared(readPrepared, async (tar) => await start({ loadDataDir: new Blob([tar]) }));
  if ('db' in slow) return slow.db;
  logger.log(slowStart(slow.reason));
  return await start({});
}

/**
 * Opens the database in `folder`, which the caller has locked, and makes it on first use. A new database gets its final
 * name only when it is complete. So a process that dies meanwhile leaves nothing behind that a later process could take
 * for a database.
 *
 * @throws ConfigurationError when the installed PGlite cannot open the database in the folder. The database is left as
 * it is.
 */
export async function openFolder(
  start: StartPGlite,
  folder: string,
  readPrepared: ReadPrepared,
  logger: EmbeddedLogger,
): Promise<PGlite> {
  const database = join(folder, 'database');
  const partial = join(folder, 'database.partial');
  if (existsSync(database)) return await openExisting(start, folder, database);

  await rm(partial, { recursive: true, force: true });
  const slow = await tryPrepared(readPrepared, async (tar) => {
    unpackTar(tar, partial);
    await rename(partial, database);
    return await start({ dataDir: database });
  });
  if ('db' in slow) return slow.db;
  logger.log(slowStart(slow.reason));
  await rm(database, { recursive: true, force: true });
  await (await start({ dataDir: partial })).close();
  await rename(partial, database);
  return await start({ dataDir: database });
}

async function openExisting(start: StartPGlite, folder: string, database: string): Promise<PGlite> {
  try {
    return await start({ dataDir: database });
  } catch (error) {
    if (asFolderError(error, folder)) throw error;
    const version = await readFile(join(database, 'PG_VERSION'), 'utf8').catch(() => 'unknown');
    throw new ConfigurationError(
      `The database in ${folder}, of PostgreSQL version ${version.trim()}, cannot be opened by the installed ` +
        `@electric-sql/pglite: ${(error as Error).message}. Install the version that wrote it, or move the folder away ` +
        'to start with an empty one.',
      { cause: error },
    );
  }
}

/** PostgreSQL itself checks whether a data directory fits its version, and refuses to start otherwise. */
async function tryPrepared(
  readPrepared: ReadPrepared,
  open: (tar: Buffer) => Promise<PGlite>,
): Promise<{ db: PGlite } | { reason: string }> {
  const tar = await readPrepared();
  if (!tar) return { reason: 'this installation lacks the prepared one (made by `npm run build`)' };
  try {
    return { db: await open(tar) };
  } catch (error) {
    // Another attempt would fail in the same way.
    if (asFolderError(error, '')) throw error;
    return { reason: `the prepared one does not fit the installed @electric-sql/pglite: ${(error as Error).message}` };
  }
}

function slowStart(reason: string): string {
  return `Initialising an embedded database takes some seconds, because ${reason}.`;
}
