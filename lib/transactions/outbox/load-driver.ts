import { bareError } from '../../engine/bare-error.js';
import { ConfigurationError } from '../../errors.js';

/**
 * Loads the driver of a database.
 *
 * @throws ConfigurationError with the command that installs the package
 */
export async function loadDriver<T>(name: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    const { code } = error as { code?: string };
    if (code !== 'ERR_MODULE_NOT_FOUND' && code !== 'MODULE_NOT_FOUND') throw error;
    throw new ConfigurationError(
      `outbox.connection needs the package ${name}, which is not installed. Run: npm install ${name}`,
      { cause: bareError(error) },
    );
  }
}
