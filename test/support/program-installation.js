import { execFileSync } from 'node:child_process';

/** @typedef {import('./programs.js').Program} Program */

/**
 * - `continue`: no program is missing.
 * - `install`: the run installs the packages. It prints `message` first.
 * - `stop`: the run must not change the machine. `message` tells the developer what to do.
 *
 * @typedef {{ action: 'continue' } | { action: 'install' | 'stop', packages: string[], message: string }} Decision
 */

/**
 * Decides what a run of the tests does about missing programs. A run changes the machine only on request: in CI, where
 * `CI` is `true` or `1`, or when it was started as `npm test -- --install`, which sets `TASK_QUEUE_TEST_INSTALL=1`.
 *
 * @param {readonly Program[]} missing
 * @param {Readonly<Record<string, string | undefined>>} environment
 * @returns {Decision}
 */
export function decideInstallation(missing, environment) {
  if (missing.length === 0) return { action: 'continue' };
  const names = describePrograms(missing);
  const packages = packagesOf(missing);
  if (environment.CI === 'true' || environment.CI === '1' || environment.TASK_QUEUE_TEST_INSTALL === '1') {
    const message = `Installing ${packages.join(' ')} through apt-get, because the tests need ${names}.`;
    return { action: 'install', packages, message };
  }
  const message = [
    `The tests need programs that are not on PATH: ${names}.`,
    'The run can install them: npm test -- --install (in other commands: TASK_QUEUE_TEST_INSTALL=1)',
    commandByHand(missing),
    ...missing.flatMap(({ instead }) => instead ?? []),
  ].join('\n');
  return { action: 'stop', packages, message };
}

/**
 * Explains what to do when apt-get could not install the programs.
 *
 * @param {readonly Program[]} missing
 */
export function describeFailure(missing) {
  return [
    `The tests need programs that apt-get could not install: ${describePrograms(missing)}.`,
    commandByHand(missing),
    ...missing.flatMap(({ instead }) => instead ?? []),
  ].join('\n');
}

/**
 * Installs Debian packages as root, or through sudo when it asks for no password. Returns also when apt-get failed.
 *
 * @param {readonly string[]} packages
 */
export function aptGetInstall(packages) {
  const sudo = process.getuid?.() === 0 ? [] : ['sudo', '-n'];
  const aptGet = [...sudo, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get'];
  try {
    for (const args of [['update'], ['install', '-y', '--no-install-recommends', ...packages]]) {
      const [command = '', ...rest] = [...aptGet, ...args];
      // apt-get prints to stderr, because stdout is for results.
      execFileSync(command, rest, { stdio: ['ignore', 2, 2] });
    }
  } catch (error) {
    process.stderr.write(`${String(error)}\n`);
  }
}

/** @param {readonly Program[]} missing */
function describePrograms(missing) {
  return missing.map(({ names }) => names.join(' or ')).join(', ');
}

/** @param {readonly Program[]} missing */
function packagesOf(missing) {
  return [...new Set(missing.flatMap(({ aptPackages }) => aptPackages))];
}

/** @param {readonly Program[]} missing */
function commandByHand(missing) {
  return `You can install them by hand: sudo apt-get install ${packagesOf(missing).join(' ')} (or your system's equivalent)`;
}
