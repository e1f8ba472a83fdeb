import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import * as errors from '../../lib/errors.js';

/** Where the code of a page is that does not stand in `docs/examples/<page>.ts`, `<page>.main.ts` and their like. */
const ELSEWHERE: Readonly<Record<string, readonly string[]>> = {
  'README.md': ['docs/examples/getting-started.ts', 'docs/examples/readme.ts'],
  'batches.md': ['docs/batches.example.ts'],
  'monitoring.md': ['test/support/monitoring/health.controller.ts'],
  'other-tools.md': ['test/support/board.module.ts'],
  'running.md': ['docs/examples/configure-app.ts'],
  'testing.md': ['test/unit/testing/guide.test.ts', 'test/matrix/support/programs.ts'],
};
const PAGES = ['README.md', ...readdirSync('docs').filter((name) => name.endsWith('.md') && name !== 'README.md')];

describe.each(PAGES)('%s', (page) => {
  const text = readFileSync(page === 'README.md' ? page : `docs/${page}`, 'utf8');
  const snippets = Array.from(text.matchAll(/^```ts\n([^]*?)^```/gm), ([, code = '']) => code);
  if (snippets.length === 0) return;

  it('shows code that is compiled', () => {
    const name = page.replace('.md', '');
    const examples = readdirSync('docs/examples')
      .filter((file) => file.startsWith(`${name}.`))
      .map((file) => `docs/examples/${file}`)
      .concat(ELSEWHERE[page] ?? [])
      .map((path) => unindented(readFileSync(path, 'utf8')));
    const paragraphs = snippets.flatMap((code) => code.split(/\n(?:[ ]*\n)+/).map(unindented));
    const unknown = paragraphs.filter((paragraph) => !examples.some((example) => example.includes(paragraph)));
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
