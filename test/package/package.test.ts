import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createManagedProcess, type ManagedProcess } from '../support/managed-process.js';

/** The package as a user gets it: packed, and installed into an empty project with the required peers only. */

const root = join(import.meta.dirname, '../..');
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  name: string;
  bin: Record<string, string>;
  exports: Record<string, unknown>;
  devDependencies: Record<string, string>;
  peerDependencies: Record<string, string>;
  peerDependenciesMeta: Record<string, { optional: boolean }>;
};
const isOptional = (peer: string) => manifest.peerDependenciesMeta[peer]?.optional === true;
const peers = Object.keys(manifest.peerDependencies);
const entryPoints = Object.keys(manifest.exports)
  .filter((path) => path !== './package.json')
  .map((path) => join(manifest.name, path));

let managed: ManagedProcess;
let tarball: string;
let project: string;

beforeAll(async () => {
  managed = await createManagedProcess();
  project = managed.folder;
  const packed = await npm(root, 'pack', '--ignore-scripts', '--json', '--pack-destination', project);
  const [{ filename }] = JSON.parse(packed) as [{ filename: string }];
  tarball = join(project, filename);
  writeFileSync(join(project, 'package.json'), '{ "private": true }');
  const required = peers.filter((peer) => !isOptional(peer));
  await npm(project, 'install', tarball, ...required.map((peer) => `${peer}@${manifest.devDependencies[peer]}`));
}, 300_000);

afterAll(() => managed.close());

test('publint finds no problem in the package', async () => {
  await tool('publint', 'run', tarball, '--strict');
});

test('the types resolve as the code does', async () => {
  await tool('attw', tarball, '--profile', 'esm-only');
});

test('the optional peers are not installed', () => {
  const installed = peers.filter((peer) => existsSync(join(project, 'node_modules', peer)));
  expect(installed).toEqual(peers.filter((peer) => !isOptional(peer)));
});

test.each(entryPoints)('import("%s") has exports', async (entryPoint) => {
  expect(await exportsOf(`await import('${entryPoint}')`)).not.toEqual([]);
});

test.each(entryPoints)('require("%s") has exports', async (entryPoint) => {
  expect(await exportsOf(`createRequire(import.meta.url)('${entryPoint}')`)).not.toEqual([]);
});

test.each(Object.keys(manifest.bin))('%s --help prints the usage', async (command) => {
  const { stdout } = await execute(join(project, 'node_modules/.bin', command), ['--help'], { cwd: project });
  expect(stdout).toContain(command);
});

const execute = promisify(execFile);

/** The names of the exports of an expression's value. Any output to stderr, such as a warning, fails the test. */
async function exportsOf(expression: string): Promise<string[]> {
  const code = `import { createRequire } from 'node:module'; console.log(JSON.stringify(Object.keys(${expression})));`;
  const { stdout, stderr } = await execute(process.execPath, ['--input-type=module', '-e', code], { cwd: project });
  expect(stderr).toBe('');
  return JSON.parse(stdout) as string[];
}

/** Runs a tool. Rejects with its output when the tool fails. */
async function tool(name: string, ...args: string[]): Promise<void> {
  await execute(join(root, 'node_modules/.bin', name), args, { cwd: root }).catch(
    (error: { stdout: string; stderr: string }) => {
      throw new Error(error.stdout + error.stderr);
    },
  );
}

async function npm(folder: string, ...args: string[]): Promise<string> {
  const { stdout } = await execute('npm', args, { cwd: folder, shell: process.platform === 'win32' });
  return stdout;
}
