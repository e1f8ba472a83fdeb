import { execFileSync } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/**
 * @typedef {object} Program
 * @property {string[]} names what it may be called
 * @property {string[]} aptPackages Debian's packages of it
 * @property {string} variable the environment variable that makes looking for it unnecessary
 */

/** @type {Record<'redis' | 'postgres' | 'initdb' | 'chromium' | 'openssl' | 'celery', Program>} */
const programs = {
  redis: { names: ['redis-server', 'valkey-server'], aptPackages: ['redis-server'], variable: 'TEST_REDIS_URL' },
  postgres: { names: ['postgres'], aptPackages: ['postgresql'], variable: 'TEST_POSTGRES_URL' },
  initdb: { names: ['initdb'], aptPackages: ['postgresql'], variable: 'TEST_POSTGRES_URL' },
  chromium: {
    names: ['chromium', 'chromium-browser', 'google-chrome'],
    aptPackages: ['chromium'],
    variable: 'CHROMIUM_PATH',
  },
  celery: { names: ['celery'], aptPackages: ['celery', 'python3-redis'], variable: 'PATH' },
  openssl: { names: ['openssl'], aptPackages: ['openssl'], variable: 'PATH' },
};

/**
 * The path of a program the tests need: one that is there, else one installed now through apt-get, saying so. Where
 * that cannot be, the error says what to run.
 *
 * @param {keyof typeof programs} key
 */
export function findProgram(key) {
  const program = programs[key];
  const path = lookUp(program) ?? (install(program) && lookUp(program));
  if (path) return path;
  throw new Error(
    `The tests need ${program.names.join(' or ')}, which is not on PATH and could not be installed. ` +
      `Run "sudo apt-get install ${program.aptPackages.join(' ')}" (or your system's equivalent), or set ${program.variable}.`,
  );
}

/** A browser for `executablePath` of `playwright-core`. */
export function findChromium() {
  return process.env.CHROMIUM_PATH || findProgram('chromium');
}

/** @param {Program} program */
function lookUp({ names }) {
  const folders = [...(process.env.PATH ?? '').split(delimiter), ...postgresFolders()];
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find(isExecutable);
}

/** Debian keeps PostgreSQL's server programs off PATH, one folder a version; the newest first. */
function postgresFolders() {
  const root = '/usr/lib/postgresql';
  if (!existsSync(root)) return [];
  return readdirSync(root)
    .toSorted((a, b) => Number(b) - Number(a))
    .map((version) => join(root, version, 'bin'));
}

/** @param {string} path */
function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * Whether apt-get could be run as root or by sudo without a password.
 *
 * @param {Program} program
 */
function install({ names, aptPackages }) {
  const sudo = process.getuid?.() === 0 ? [] : ['sudo', '-n'];
  const aptGet = [...sudo, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get'];
  process.stderr.write(`${names[0]} was not found: installing ${aptPackages.join(' ')} through apt-get.\n`);
  try {
    for (const args of [['update'], ['install', '-y', '--no-install-recommends', ...aptPackages]]) {
      const [command = '', ...rest] = [...aptGet, ...args];
      // Everything to stderr: stdout is for results.
      execFileSync(command, rest, { stdio: ['ignore', 2, 2] });
    }
    return true;
  } catch {
    return false;
  }
}
