import { ConfigurationError } from '../../errors.js';

/**
 * Loads an optional package.
 *
 * @param what the part of the application that needs the package, for the error
 * @param load imports the package
 * @throws ConfigurationError with the command that installs the package
 */
export async function loadOptionalPackage<T>(name: string, what: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    if (!isMissing(error)) throw error;
    throw new ConfigurationError(
      `${what} needs the package ${name}, which is not installed. Run: npm install ${name}. ` +
        'Or choose another engine with the option connection or TASK_QUEUE_URL.',
      { cause: error },
    );
  }
}

function isMissing(error: unknown): boolean {
  const { code } = error as { code?: string };
  return code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND';
}
