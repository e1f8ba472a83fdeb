import type { PGlite, PGliteOptions } from '@electric-sql/pglite';
import { bullmq } from '../bullmq-package.cjs';
import { loadOptionalPackage } from '../load-optional-package.js';
import { knowingArrayTypes, type PGliteDriver } from './patched-array-types.js';
import { withLateOptimization } from './patched-wasm-tiering.js';

/**
 * Loads PGlite on demand, so that an application on Redis or PostgreSQL need not install it.
 *
 * @param load for tests: replaces the import
 * @throws ConfigurationError with the command that installs PGlite
 */
export async function loadPGlite(load = () => import('@electric-sql/pglite')): Promise<PGliteDriver> {
  return knowingArrayTypes(await loadOptionalPackage('@electric-sql/pglite', 'The embedded engine', load));
}

/** Starts a PGlite on a folder, or in memory. @throws Error with the reason that PostgreSQL logged */
export type StartPGlite = (options: Pick<PGliteOptions, 'dataDir' | 'loadDataDir'>) => Promise<PGlite>;

/**
 * The type number of `bigint`. By itself PGlite returns a number or a BigInt; `pg` returns text, which BullMQ expects.
 */
const INT8 = 20;

/** Returns a function that starts PGlite with the settings that BullMQ expects of a connection to `schema`. */
export function pgliteStarter(driver: PGliteDriver, schema: string): StartPGlite {
  const settings = [
    `search_path=${bullmq.quoteSchemaName(schema)}`,
    // PGlite writes to all of it when it starts, so its own 128 MB would be the larger part of the process. The operating system keeps
    // the pages of the files in memory anyway.
    'shared_buffers=8MB',
    // Turns off the reports on a slow recovery. Their timer runs on after the start and would keep the process alive.
    'log_startup_progress_interval=0',
  ];
  return async (options) => {
    const log: string[] = [];
    let starting = true;
    const create = async () => {
      // Not `create()`, which makes an object of PGlite's own class.
      const db = new driver({
        ...options,
        parsers: { [INT8]: (value: string) => value },
        startParams: [...driver.defaultStartParams, ...settings.flatMap((setting) => ['-c', setting])],
        onStderr: (line) => {
          if (starting) log.push(line);
          return false;
        },
      });
      await db.waitReady;
      return db;
    };
    try {
      return await withLateOptimization(create);
    } catch (error) {
      throw new Error(reasonIn(log) || (error as Error).message, { cause: error });
    } finally {
      starting = false;
    }
  };
}

/** PostgreSQL logs the reason in a line with FATAL and in one or two lines after it, with DETAIL and HINT. */
function reasonIn(log: readonly string[]): string {
  const text = log.slice(log.findLastIndex((line) => line.includes('FATAL:'))).join(' ');
  return text
    .replace(/^.*?FATAL:/, '')
    .replaceAll(/\s+/g, ' ')
    .trim();
}
