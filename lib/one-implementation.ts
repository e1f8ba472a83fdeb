import { ModuleRef } from '@nestjs/core';
import { ConfigurationError } from './errors.js';
import { packageFolder, packageVersion } from './package-location.cjs';

/**
 * One implementation for a process, although the package has two builds. An application may load both: an ES module of
 * a feature inside a CommonJS application imports one build and the application requires the other. Classes and tokens
 * have to be the same for both, so the build that is loaded first publishes itself here, and the other one exports what
 * the first one has.
 *
 * Applications with another copy of Nest in the same process (tests that reset their modules) get an implementation of
 * their own.
 */
interface Implementation {
  readonly version: string | undefined;
  readonly folder: string | undefined;
  /** A class of the copy of Nest that this implementation uses. */
  readonly nest: unknown;
  /** The build that published it. */
  readonly build: symbol;
  /** The exports of an entry point: `index`, `testing/index`. */
  readonly load: (entry: string) => object;
}

/** Another one in each build. */
const BUILD = Symbol('build');

const PUBLISHED = Symbol.for('nestjs-task-queue: implementations');

/**
 * The exports of an entry point, of the build that was loaded first.
 *
 * @param load loads an entry point of the calling build
 * @throws ConfigurationError when two versions of this package use the same copy of Nest
 */
export function loadEntry<T extends object>(entry: string, load: (entry: string) => T): T {
  const own: Implementation = {
    version: packageVersion(),
    folder: packageFolder(),
    nest: ModuleRef,
    build: BUILD,
    load,
  };
  const all = published();
  const first = all.find(({ nest }) => nest === own.nest);
  if (!first) {
    all.push(own);
    return load(entry);
  }
  if (first.version !== own.version) {
    throw new ConfigurationError(
      `Two versions of nestjs-task-queue are loaded in one process: ${first.version} in ${first.folder} and ${own.version} ` +
        `in ${own.folder}. Install one of them everywhere: npm ls nestjs-task-queue shows where each comes from.`,
    );
  }
  // The entry points of one build share their modules anyway.
  return first.build === own.build ? load(entry) : (first.load(entry) as T);
}

function published(): Implementation[] {
  const scope = globalThis as { [PUBLISHED]?: Implementation[] };
  return (scope[PUBLISHED] ??= []);
}
