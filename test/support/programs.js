import { accessSync, constants, existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { aptGetInstall, decideInstallation, describeFailure } from './program-installation.js';

/**
 * A program that the tests or the benchmarks start.
 *
 * @typedef {object} Program
 * @property {string[]} names the names that the program has on different systems
 * @property {string[]} aptPackages the Debian packages that contain it
 * @property {string} [instead] what a developer can set instead of installing the program
 */

/** @typedef {'redis' | 'postgres' | 'initdb' | 'pg_basebackup' | 'pgbouncer' | 'mariadb' | 'mariadb-install-db' | 'chromium' | 'openssl' | 'celery' | 'promtool' | 'nginx' | 'supervisord' | 'systemd-analyze'} ProgramKey */

/** @type {Readonly<Record<ProgramKey, Program>>} */
const programs = {
  redis: {
    names: ['redis-server', 'valkey-server'],
    aptPackages: ['redis-server'],
    instead: 'For the phases contract and limits you can name a Redis server instead: TEST_REDIS_URL.',
  },
  postgres: {
    names: ['postgres'],
    aptPackages: ['postgresql'],
    instead: 'For the phases contract and limits you can name a PostgreSQL server instead: TEST_POSTGRES_URL.',
  },
  initdb: { names: ['initdb'], aptPackages: ['postgresql'] },
  pg_basebackup: { names: ['pg_basebackup'], aptPackages: ['postgresql'] },
  mariadb: { names: ['mariadbd', 'mysqld'], aptPackages: ['mariadb-server-core', 'mariadb-client-core'] },
  'mariadb-install-db': { names: ['mariadb-install-db'], aptPackages: ['mariadb-server-core', 'mariadb-client-core'] },
  pgbouncer: { names: ['pgbouncer'], aptPackages: ['pgbouncer'] },
  chromium: {
    names: ['chromium', 'chromium-browser', 'google-chrome'],
    aptPackages: ['chromium'],
    instead: 'You can name a browser that is not on PATH: CHROMIUM_PATH.',
  },
  celery: { names: ['celery'], aptPackages: ['celery', 'python3-redis'] },
  promtool: { names: ['promtool'], aptPackages: ['prometheus'] },
  openssl: { names: ['openssl'], aptPackages: ['openssl'] },
  nginx: { names: ['nginx'], aptPackages: ['nginx-light'] },
  supervisord: { names: ['supervisord'], aptPackages: ['supervisor'] },
  'systemd-analyze': { names: ['systemd-analyze'], aptPackages: ['systemd'] },
};

/**
 * The programs that a Jest project starts.
 *
 * @param {string} project
 * @param {Readonly<Record<string, string | undefined>>} [environment] names servers and a browser that replace programs
 * @returns {ProgramKey[]}
 */
export function programsOf(project, environment = process.env) {
  /** @type {ProgramKey[]} */
  const ownServers = ['redis', 'postgres', 'initdb', 'openssl'];
  switch (project) {
    case 'faults':
      return [...ownServers, 'pg_basebackup', 'pgbouncer'];
    case 'contract':
      return [...sharedServers(environment), 'mariadb', 'mariadb-install-db'];
    case 'limits':
    case 'matrix':
    case 'orms':
      return sharedServers(environment);
    case 'e2e':
      return [
        ...ownServers,
        'promtool',
        'nginx',
        'supervisord',
        'systemd-analyze',
        ...(environment.CHROMIUM_PATH ? [] : /** @type {const} */ (['chromium'])),
      ];
    default:
      return [];
  }
}

/**
 * The programs of the servers that all tests of a project share.
 *
 * @param {Readonly<Record<string, string | undefined>>} environment
 * @returns {ProgramKey[]}
 */
function sharedServers(environment) {
  return [
    ...(environment.TEST_REDIS_URL ? [] : /** @type {const} */ (['redis'])),
    ...(environment.TEST_POSTGRES_URL ? [] : /** @type {const} */ (['postgres', 'initdb'])),
  ];
}

/**
 * Makes sure that programs are on this machine. It installs missing programs only on request, see
 * {@link decideInstallation}.
 *
 * @param {readonly ProgramKey[]} keys
 * @throws Error that names the missing programs and the commands that install them
 */
export function requirePrograms(keys) {
  const missing = keys.map((key) => programs[key]).filter((program) => !lookUp(program));
  const decision = decideInstallation(missing, process.env);
  if (decision.action === 'continue') return;
  if (decision.action === 'stop') throw new Error(decision.message);
  process.stderr.write(`${decision.message}\n`);
  aptGetInstall(decision.packages);
  const stillMissing = missing.filter((program) => !lookUp(program));
  if (stillMissing.length > 0) throw new Error(describeFailure(stillMissing));
}

/**
 * The path of a program.
 *
 * @param {ProgramKey} key
 * @throws Error when it is missing, see {@link requirePrograms}
 */
export function findProgram(key) {
  requirePrograms([key]);
  return /** @type {string} */ (lookUp(programs[key]));
}

/** The browser for `executablePath` of `playwright-core`: the path in `CHROMIUM_PATH`, or the one on PATH. */
export function findChromium() {
  return process.env.CHROMIUM_PATH || findProgram('chromium');
}

/** @param {Program} program */
function lookUp({ names }) {
  // Debian installs PgBouncer in a folder that is on the PATH of root only.
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', ...postgresFolders()];
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find(isExecutable);
}

/**
 * Debian installs PostgreSQL's server programs outside of PATH, in one folder for each version. Newest version first.
 */
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
