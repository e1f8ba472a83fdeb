import { installedVersion } from '../../package-location.cjs';

/**
 * The minor versions with which the contract suite and the tests of docs/upstream.md passed, by package. This package
 * overrides parts of BullMQ and its drivers, so another minor version may behave differently. Patch versions count as
 * checked.
 */
export const CHECKED_VERSIONS: Readonly<Record<string, readonly string[]>> = {
  bullmq: ['6.7'],
  ioredis: ['5.11', '6.0'],
  pg: ['8.23'],
  '@electric-sql/pglite': ['0.5'],
};

/**
 * One warning for all packages whose installed version was not checked; `undefined` when all were.
 *
 * @param packages those that the application uses
 * @param versionOf the installed version of a package; `undefined` when it cannot be found, as in a bundle
 */
export function warningOfUncheckedVersions(
  packages: readonly string[],
  versionOf: (name: string) => string | undefined = installedVersion,
): string | undefined {
  const unchecked = packages.flatMap((name) => {
    const version = versionOf(name);
    const checked = CHECKED_VERSIONS[name] ?? [];
    return version === undefined || checked.includes(minorOf(version)) ? [] : [{ name, version, checked }];
  });
  if (unchecked.length === 0) return undefined;
  const found = unchecked.map(
    ({ name, version, checked }) => `${name} ${version} (checked: ${checked.map((minor) => `${minor}.x`).join(', ')})`,
  );
  const cure = unchecked.map(({ name, checked }) => `${name}@~${checked.at(-1)}.0`).join(' ');
  return (
    `This version of nestjs-task-queue was not tested with ${found.join(' and ')}. It overrides parts of these packages, ` +
    `so test your tasks, or run: npm install ${cure}`
  );
}

function minorOf(version: string): string {
  return version.split('.').slice(0, 2).join('.');
}
