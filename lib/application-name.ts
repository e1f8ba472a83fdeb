import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/**
 * The `name` in the package.json of the working directory, or of the nearest folder above it that has one; `undefined` when
 * there is none.
 */
export function applicationName(start = process.cwd()): string | undefined {
  for (let folder = start; ; folder = dirname(folder)) {
    try {
      const { name } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { name?: unknown };
      return typeof name === 'string' && name !== '' ? name : undefined;
    } catch {
      // There is no file here, or none that can be read.
    }
    if (dirname(folder) === folder) return undefined;
  }
}
