import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const page = readFileSync(join(import.meta.dirname, '../../../README.md'), 'utf8');

/** The first snippet of the README, word for word. */
export function firstSnippet(): string {
  const [, code] = /^```ts\n([^]*?)^```/m.exec(page) ?? [];
  if (!code?.includes('@Module(')) throw new Error('The first snippet of the README is no module.');
  return code;
}
