import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import * as errors from '../../lib/errors.js';

/** The pages whose snippets stand in `docs/examples/<page>.ts`, and run in `test/contract/guide.test.ts`. */
const PAGES = ['getting-started', 'tasks', 'producing', 'results', 'retries', 'enhancers', 'schedules', 'from-bullmq'];

describe.each(PAGES)('docs/%s.md', (page) => {
  const text = readFileSync(`docs/${page}.md`, 'utf8');
  const examples = ['', '.main']
    .map((kind) => `docs/examples/${page}${kind}.ts`)
    .filter((path) => existsSync(path))
    .map((path) => unindented(readFileSync(path, 'utf8')));

  it('shows code that is compiled', () => {
    const snippets = Array.from(text.matchAll(/^```ts\n([^]*?)^```/gm), ([, code = '']) => unindented(code));
    expect(snippets.length).toBeGreaterThan(0);
    const unknown = snippets.filter((snippet) => !examples.some((example) => example.includes(snippet)));
    expect(unknown).toEqual([]);
  });
});

it('the guide leads to every page of docs', () => {
  const guide = readFileSync('docs/README.md', 'utf8');
  const pages = readdirSync('docs').filter((name) => name.endsWith('.md') && name !== 'README.md');
  expect(pages.filter((page) => !guide.includes(`(${page})`))).toEqual([]);
});

it('troubleshooting has the code and the class of every error', () => {
  const page = readFileSync('docs/troubleshooting.md', 'utf8');
  const rows = Array.from(page.matchAll(/^\| `([A-Z_]+)` +\| `(\w+)`/gm), ([, code, name]) => `${name} ${code}`);
  const source = readFileSync('lib/errors.ts', 'utf8');
  const declared = Array.from(
    source.matchAll(/^export class (\w+) [^]*?code(?:: string)? = '([A-Z_]+)'/gm),
    ([, name, code]) => `${name} ${code}`,
  );
  expect(declared.length).toBe(Object.values(errors).length - 1);
  expect(new Set(rows)).toEqual(new Set(declared));
});

/** The lines without their indentation: an example may stand in a method. */
function unindented(code: string): string {
  return code
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .join('\n');
}
