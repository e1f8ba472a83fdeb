import { expect, test } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const folder = import.meta.dirname;
const root = join(folder, '../..');

interface TypeTest {
  file: string;
  name: string;
  firstLine: number;
  lastLine: number;
}
interface CompileError {
  file: string;
  line: number;
  message: string;
}

const typeTests = readdirSync(folder)
  .filter((name) => name.endsWith('.test-d.ts'))
  .flatMap(findTypeTests);
const errors = compile();

test.each(typeTests)('$file: $name', (typeTest) => {
  expect(messages(errors.filter((error) => isIn(typeTest, error)))).toEqual([]);
});

test('the imports of the type tests compile', () => {
  expect(messages(errors.filter((error) => !typeTests.some((typeTest) => isIn(typeTest, error))))).toEqual([]);
});

/** Finds each `typeTest('name', …)`. It ends where the next one begins. */
function findTypeTests(file: string): TypeTest[] {
  const lines = readFileSync(join(folder, file), 'utf8').split('\n');
  const starts = lines.flatMap((text, index) => {
    const name = /^typeTest\((['"`])(.+)\1,/.exec(text)?.[2];
    return name ? [{ name, firstLine: index + 1 }] : [];
  });
  return starts.map((start, index) => ({ file, ...start, lastLine: (starts[index + 1]?.firstLine ?? Infinity) - 1 }));
}

/** Compiles all files in one run, because the start of the compiler takes most of the time. */
function compile(): CompileError[] {
  const tsc = join(root, 'node_modules/@typescript/native/bin/tsc');
  const args = [tsc, '-p', folder, '--noEmit', '--pretty', 'false'];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' });
  const found = stdout.split('\n').filter((line) => line.includes('error TS'));
  if (status !== 0 && !found.length) throw new Error(`tsc failed: ${stdout}${stderr}`);
  return found.map((message) => {
    const [, file = '', line = ''] = /^(.+?)\((\d+),/.exec(message) ?? [];
    return { file, line: Number(line), message };
  });
}

function isIn({ file, firstLine, lastLine }: TypeTest, error: CompileError): boolean {
  return error.file === file && firstLine <= error.line && error.line <= lastLine;
}

function messages(some: CompileError[]): string[] {
  return some.map(({ message }) => message);
}
