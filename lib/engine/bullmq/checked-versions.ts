import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/**
 * The minor versions with which the contract suite and the tests of docs/upstream.md passed, by package. This package
 * overrides parts of BullMQ and its drivers, so another minor version may behave differently. Patch versions count as
 * checked.
 */
export const CHECKED_VERSIONS: Readonly<Record<string, readonly string[]>> = {
  bullmq: ['6.7'],
  ioredis: ['6.0'],
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

/** The version of a package as Node resolves it from here; `undefined` when it cannot be found. */
export function installedVersion(name: string): string | undefined {
  try {
    let folder = dirname(createRequire(import.meta.url).resolve(name));
    // A package may hide its package.json behind `exports`, so it is read from the file system.
    for (let parent = dirname(folder); parent !== folder; folder = parent, parent = dirname(folder)) {
      const found = readPackage(join(folder, 'package.json'));
      if (found?.name === name) return found.version;
    }
  } catch {
    // Not installed, or part of a bundle.
  }
  return undefined;
}

function readPackage(file: string): { name?: string; version?: string } | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as { name?: string; version?: string };
  } catch {
    return undefined;
  }
}

function minorOf(version: string): string {
  return version.split('.').slice(0, 2).join('.');
}
