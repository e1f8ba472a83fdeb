import type { PGlite, PGliteOptions } from '@electric-sql/pglite';
import { bullmq } from '../bullmq-package.js';
import { loadOptionalPackage } from '../load-optional-package.js';

/** The class `PGlite` of the optional peer `@electric-sql/pglite`. */
export type PGliteDriver = typeof PGlite;

/**
 * Loads PGlite on demand, so that those who use Redis or PostgreSQL need not install it.
 *
 * @param load for tests: what stands for the import
 * @throws ConfigurationError with the command that installs it
 */
export async function loadPGlite(load = () => import('@electric-sql/pglite')): Promise<PGliteDriver> {
  return (await loadOptionalPackage('@electric-sql/pglite', 'The embedded engine', load)).PGlite;
}

/** Starts one PGlite; which one, the options say. Rejects with what PostgreSQL said about it. */
export type StartPGlite = (options: Pick<PGliteOptions, 'dataDir' | 'loadDataDir'>) => Promise<PGlite>;

/** The type number of `bigint`, which `pg` hands out as text. */
const int8 = 20;

/** Settings that make a PGlite what BullMQ expects of a connection to `schema`. */
export function pgliteStarter(driver: PGliteDriver, schema: string): StartPGlite {
  const settings = [
    `search_path=${bullmq.quoteSchemaName(schema)}`,
    // PGlite's 128 MB would be the larger part of the process; tasks that wait fit into far less.
    'shared_buffers=32MB',
    // Reports on a slow recovery. Its timer goes on after the start, and would keep a process alive for ever.
    'log_startup_progress_interval=0',
  ];
  return async (options) => {
    const log: string[] = [];
    let starting = true;
    try {
      return await driver.create({
        ...options,
        parsers: { [int8]: (value: string) => value },
        startParams: [...driver.defaultStartParams, ...settings.flatMap((setting) => ['-c', setting])],
        onStderr: (line) => {
          if (starting) log.push(line);
          return false;
        },
      });
    } catch (error) {
      throw new Error(reasonIn(log) || (error as Error).message, { cause: error });
    } finally {
      starting = false;
    }
  };
}

/** PostgreSQL says why it gives up in a line with FATAL, and in one or two after it, with DETAIL and HINT. */
function reasonIn(log: readonly string[]): string {
  const text = log.slice(log.findLastIndex((line) => line.includes('FATAL:'))).join(' ');
  return text
    .replace(/^.*?FATAL:/, '')
    .replaceAll(/\s+/g, ' ')
    .trim();
}
