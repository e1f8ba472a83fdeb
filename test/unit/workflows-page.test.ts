import { expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');

test('each example of docs/workflows.md is tested under its heading', () => {
  const page = readFileSync(join(root, 'docs/workflows.md'), 'utf8');
  const tests = readFileSync(join(root, 'test/contract/canvas-guide.test.ts'), 'utf8');
  const headings = Array.from(page.matchAll(/^### (.+)$/gm), ([, heading]) => heading);
  const titles = Array.from(tests.matchAll(/^\s+it\('(.+?)', async/gm), ([, title]) => title);
  expect(headings.length).toBeGreaterThan(30);
  expect(titles).toEqual(headings);
});
