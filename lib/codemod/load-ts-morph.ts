import { ConfigurationError } from '../errors.js';

/** The library that reads and writes TypeScript. It is large, and only the codemod needs it. */
export type TsMorph = typeof import('ts-morph');

/** @throws ConfigurationError with the command that installs the library */
export async function loadTsMorph(load: () => Promise<TsMorph> = () => import('ts-morph')): Promise<TsMorph> {
  try {
    return await load();
  } catch (error) {
    const { code } = error as { code?: string };
    if (code !== 'ERR_MODULE_NOT_FOUND' && code !== 'MODULE_NOT_FOUND') throw error;
    throw new ConfigurationError(
      'The codemod needs the package ts-morph, which is not installed. Run: npm install --save-dev ts-morph. It can go again afterwards.',
      { cause: error },
    );
  }
}
