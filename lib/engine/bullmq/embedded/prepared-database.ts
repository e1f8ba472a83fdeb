import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { brotliDecompress } from 'node:zlib';
import { packageFolder } from '../../../package-location.cjs';

/**
 * A new database with BullMQ's tables, as an uncompressed tar archive. The package contains it because PGlite needs several
 * seconds to initialise a database, and a tenth of a second to copy one. `scripts/build-embedded-snapshot.mjs` makes it.
 *
 * @returns `undefined` in a bundle, or when the database was not built
 */
export async function readPreparedDatabase(): Promise<Buffer | undefined> {
  const folder = packageFolder();
  if (folder === undefined) return undefined;
  try {
    return await promisify(brotliDecompress)(await readFile(join(folder, 'dist/prepared-database.tar.br')));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
