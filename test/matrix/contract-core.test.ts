import { execFileSync } from 'node:child_process';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createManagedProcess, type ManagedProcess } from '../support/managed-process.js';
import { run } from './support/commands.js';

const root = join(import.meta.dirname, '../..');

/** The oldest versions that the peer ranges allow, where they differ in their major version from the development ones. */
const OLDEST: Readonly<Record<string, string>> = {
  '@nestjs/bullmq': '^11.0.0',
  '@nestjs/common': '^11.0.0',
  '@nestjs/core': '^11.0.0',
  '@nestjs/platform-express': '^11.0.0',
  '@nestjs/platform-fastify': '^11.0.0',
  '@nestjs/swagger': '^11.0.0',
  '@nestjs/testing': '^11.0.0',
  ioredis: '^5.0.0',
};

let home: ManagedProcess;
let project: string;

/** A copy of the project whose development packages are the oldest. */
beforeAll(async () => {
  home = await createManagedProcess();
  project = join(home.folder, 'project');
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: root });
  const files = listed
    .toString()
    .split('\0')
    .filter((file) => file !== '' && file !== 'package-lock.json');
  for (const file of files) cpSync(join(root, file), join(project, file));
  // The embedded engine starts from the prepared database of the build.
  cpSync(join(root, 'dist'), join(project, 'dist'), { recursive: true });
  const path = join(project, 'package.json');
  const manifest = JSON.parse(readFileSync(path, 'utf8')) as { devDependencies: Record<string, string> };
  writeFileSync(path, JSON.stringify({ ...manifest, devDependencies: { ...manifest.devDependencies, ...OLDEST } }));
  await run(project, 'npm', ['install']);
}, 600_000);
afterAll(() => home.close(), 300_000);

test('the copy has Nest 11 and ioredis 5', () => {
  const major = (name: string) => {
    const manifest = readFileSync(join(project, 'node_modules', name, 'package.json'), 'utf8');
    return (JSON.parse(manifest) as { version: string }).version.split('.')[0];
  };
  expect([major('@nestjs/core'), major('@nestjs/common'), major('ioredis')]).toEqual(['11', '11', '5']);
});

test('the core of the contract suite passes on every engine', async () => {
  const jest = ['--experimental-vm-modules', 'node_modules/jest/bin/jest.js', '--selectProjects', 'contract'];
  const files = ['--testPathPatterns', 'contract/(core|enhancers|nest|producing)\\.test'];
  const { stderr } = await run(project, process.execPath, [...jest, ...files, '--forceExit']);
  expect(stderr).toMatch(/Test Suites: 4 passed, 4 total/);
}, 600_000);

/** Without the tests of what only Nest 12 has. */
test('the parts that meet Nest pass their unit tests', async () => {
  const jest = ['--experimental-vm-modules', 'node_modules/jest/bin/jest.js', '--selectProjects', 'unit'];
  const files = ['--testPathPatterns', 'unit/(http/handlers|nest|producers|tasks|workers/(?!argument-pipes))'];
  const { stderr } = await run(project, process.execPath, [...jest, ...files, '--forceExit']);
  expect(stderr).toMatch(/^Tests: +\d+ passed, \d+ total$/m);
}, 600_000);
