import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../../..');
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'task-queue-test-'));
  const testEnvironment = join(root, 'test/support/open-handles.js');
  writeFileSync(
    join(folder, 'jest.config.json'),
    JSON.stringify({ testEnvironment, testEnvironmentOptions: { grace: 100 } }),
  );
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs Jest on one suite of its own, and gives what it said. */
function run(suite: string) {
  writeFileSync(join(folder, 'one.test.js'), suite);
  const jest = join(root, 'node_modules/jest/bin/jest.js');
  const { status, stderr } = spawnSync(process.execPath, [jest, '--forceExit'], { cwd: folder, encoding: 'utf8' });
  return { status, stderr };
}

const opens = `
  const server = require('node:net').createServer();
  test('listens', (done) => void server.listen(0, '127.0.0.1', done));`;

test('a suite that closes what it opened passes', () => {
  const { status, stderr } = run(`${opens} afterAll((done) => void server.close(done));`);
  expect([status, stderr]).toEqual([0, expect.stringContaining('1 passed')]);
});

test('a suite that leaves something open fails, naming it', () => {
  const { status, stderr } = run(opens);
  expect([status, stderr]).toEqual([1, expect.stringContaining('Tests:       1 passed')]);
  expect(stderr).toMatch(/The suite left open: TCPServerWrap \(a server on .*127\.0\.0\.1/);
});
