import { spawn } from 'node:child_process';
import { statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The project's folder: the scripts work from anywhere. */
export const root = fileURLToPath(new URL('..', import.meta.url));

export const tsc = 'node_modules/@typescript/native/bin/tsc';
export const embeddedSnapshot = 'scripts/build-embedded-snapshot.mjs';

/** Runs a Node program in the project, showing what it prints; resolves to whether it succeeded. */
export function node(args, { timeout } = {}) {
  return run(process.execPath, args, timeout);
}

/** npm tells its scripts where it is; without it `npm` has to be on PATH. */
export function npm(...args) {
  const path = process.env.npm_execpath;
  return path ? node([path, ...args]) : run('npm', args);
}

/** Installs the packages unless that was done since the lock file changed last. */
export async function installPackages() {
  const installed = join(root, 'node_modules/.package-lock.json');
  if (modified(installed) >= modified(join(root, 'package-lock.json'))) return;
  // Also under NODE_ENV=production: building needs the development packages.
  if (!(await npm('install', '--include=dev'))) process.exit(1);
  // npm may write the lock file after this, its own copy.
  const now = new Date();
  utimesSync(installed, now, now);
}

function modified(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
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
      // Stopped by hand, so stop altogether.
      if (signals.includes(signal)) process.kill(process.pid, signal);
      resolve(code === 0);
    });
  });
}

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
