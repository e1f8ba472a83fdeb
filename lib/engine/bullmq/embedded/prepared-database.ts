import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { brotliDecompress } from 'node:zlib';

/**
 * Initialising a database takes PGlite several seconds, copying one takes a tenth of a second. So the package carries
 * a fresh one with BullMQ's tables, which `scripts/build-embedded-snapshot.mjs` makes.
 *
 * The address starts at the package root because this file lies equally deep in `lib` (where tests run it) and `dist`.
 */
export const preparedDatabaseFile = new URL(
  '../../../../dist/engine/bullmq/embedded/prepared-database.tar.br',
  import.meta.url,
);

/** The prepared data directory as an uncompressed tar archive, or `undefined` where it was not built or not copied. */
export async function readPreparedDatabase(): Promise<Buffer | undefined> {
  try {
    return await promisify(brotliDecompress)(await readFile(preparedDatabaseFile));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
