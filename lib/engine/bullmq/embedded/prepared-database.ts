import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { brotliDecompress } from 'node:zlib';

/**
 * A new database with BullMQ's tables. The package contains it because PGlite needs several seconds to initialise a
 * database, and a tenth of a second to copy one. `scripts/build-embedded-snapshot.mjs` makes it.
 *
 * The path leads over the root of the package, because this file is equally deep in `lib`, where the tests run it, and
 * in `dist`.
 */
export const PREPARED_DATABASE_FILE = new URL(
  '../../../../dist/engine/bullmq/embedded/prepared-database.tar.br',
  import.meta.url,
);

/** The prepared data directory as an uncompressed tar archive; `undefined` when it was not built or not copied. */
export async function readPreparedDatabase(): Promise<Buffer | undefined> {
  try {
    return await promisify(brotliDecompress)(await readFile(PREPARED_DATABASE_FILE));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
