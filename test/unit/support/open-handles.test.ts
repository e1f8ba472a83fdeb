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

const opens = `
  const server = require('node:net').createServer();
  test('listens', (done) => void server.listen(0, '127.0.0.1', done));`;

test('a suite that leaves something open fails, naming it, and one that closes what it opened passes', () => {
  writeFileSync(join(folder, 'closes.test.js'), `${opens} afterAll((done) => void server.close(done));`);
  writeFileSync(join(folder, 'leaves.test.js'), opens);
  const jest = join(root, 'node_modules/jest/bin/jest.js');
  const { status, stderr } = spawnSync(process.execPath, [jest, '-i', '--forceExit'], {
    cwd: folder,
    encoding: 'utf8',
  });
  expect([status, stderr]).toEqual([1, expect.stringMatching(/^Tests: +2 passed/m)]);
  expect(stderr).toMatch(/^PASS .*closes\.test\.js/m);
  expect(stderr).toMatch(/^FAIL .*leaves\.test\.js/m);
  expect(stderr.match(/The suite left open: .*/g)).toEqual([
    expect.stringMatching(/^The suite left open: TCPServerWrap \(a server on .*127\.0\.0\.1/),
  ]);
});
