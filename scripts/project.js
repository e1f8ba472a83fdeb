import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The project's folder, so that the scripts work in any current folder. */
export const root = fileURLToPath(new URL('..', import.meta.url));

export const tsc = 'node_modules/@typescript/native/bin/tsc';
export const embeddedSnapshot = 'scripts/build-embedded-snapshot.mjs';
export const dashboard = 'scripts/build-dashboard.mjs';
export const bundle = 'scripts/bundle-esm.mjs';
export const entries = 'scripts/build-entries.mjs';

/** Runs a Node program in the project and shows its output. Resolves to whether the program succeeded. */
export function node(args, { timeout } = {}) {
  return run(process.execPath, args, timeout);
}

/** Runs npm: the npm that started this script (it sets `npm_execpath`), else the one on PATH. */
export function npm(...args) {
  const path = process.env.npm_execpath;
  return path ? node([path, ...args]) : run('npm', args);
}

/** What {@link installPackages} installed last: a digest. It is gone as soon as `node_modules` is. */
const stamp = join(root, 'node_modules/.cache/nestjs-task-queue/installed.sha256');

/**
 * Runs `npm install`, unless nothing has changed since it ran here last: neither `package.json` and `package-lock.json`
 * (the wanted packages) nor `node_modules/.package-lock.json` (the installed packages).
 *
 * It is not `npm ci`, because that also demands the optional binaries of other platforms, which some registries lack.
 */
export async function installPackages() {
  if (read(stamp) === digestOfPackages()) return;
  // An installation that is interrupted leaves no stamp.
  rmSync(stamp, { force: true });
  // `--include=dev`, because a build needs the development packages, also with NODE_ENV=production.
  if (!(await npm('install', '--include=dev'))) process.exit(1);
  mkdirSync(dirname(stamp), { recursive: true });
  // Computed again, because npm may have written the files.
  writeFileSync(stamp, digestOfPackages());
}

function digestOfPackages() {
  const digest = createHash('sha256');
  for (const name of ['package.json', 'package-lock.json', 'node_modules/.package-lock.json']) {
    digest.update(`${read(join(root, name))}\0`);
  }
  return digest.digest('hex');
}

/** The text of a file; `undefined` when there is none. */
function read(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}

function run(command, args, timeout) {
  const child = spawn(command, args, { cwd: root, stdio: 'inherit', timeout, killSignal: 'SIGKILL' });
  const stop = (signal) => child.kill(signal);
  for (const signal of signals) process.once(signal, stop);
  return new Promise((resolve) => {
    child.on('error', (error) => {
      console.error(`${command}: ${error.message}`);
      resolve(false);
    });
    child.on('close', (code, signal) => {
      for (const name of signals) process.off(name, stop);
      // A developer stopped the child, for example with Ctrl-C. This process ends too, and removes its temporary folders.
      if (signals.includes(signal)) process.exit(128 + constants.signals[signal]);
      resolve(code === 0);
    });
  });
}

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
