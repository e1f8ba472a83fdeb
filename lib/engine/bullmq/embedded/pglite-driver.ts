import type { PGlite } from '@electric-sql/pglite';
import { loadDriver } from '../load-driver.js';

/** The class `PGlite` of the optional peer `@electric-sql/pglite`. */
export type PGliteDriver = typeof PGlite;

/**
 * Loads PGlite on demand, so that those who use Redis or PostgreSQL need not install it.
 *
 * @param load for tests: what stands for the import
 * @throws ConfigurationError with the command that installs it
 */
export async function loadPGlite(load = () => import('@electric-sql/pglite')): Promise<PGliteDriver> {
  return (await loadDriver('@electric-sql/pglite', 'The embedded engine', load)).PGlite;
}
