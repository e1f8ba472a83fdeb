/**
 * Where this package is installed. The file is CommonJS in both builds, because `__dirname` and `require` exist there
 * alike; an ES module would need `import.meta`, which CommonJS does not compile.
 */
import fs = require('node:fs');
import path = require('node:path');

/** The name of this package, by which its own package.json is found. */
const NAME = 'nestjs-task-queue';

/** What {@link packageFolder} has found. It is asked for each task that is declared, and reads several files. */
let found: { readonly folder: string | undefined } | undefined;

/**
 * The folder with this package's package.json; `undefined` in a bundle, where there is none.
 */
function packageFolder(): string | undefined {
  found ??= { folder: typeof __dirname === 'string' ? folderOfPackage(NAME, __dirname) : undefined };
  return found.folder;
}

/** The version in this package's package.json; `undefined` in a bundle. */
function packageVersion(): string | undefined {
  const folder = packageFolder();
  return folder === undefined ? undefined : readManifest(folder)?.version;
}

/** The version of an installed package as Node resolves it from here; `undefined` when it cannot be found. */
function installedVersion(name: string): string | undefined {
  try {
    const folder = folderOfPackage(name, path.dirname(require.resolve(name)));
    return folder === undefined ? undefined : readManifest(folder)?.version;
  } catch {
    return undefined; // Not installed, or part of a bundle.
  }
}

/** A package may hide its package.json behind `exports`, so it is looked for in the folders above one of its files. */
function folderOfPackage(name: string, start: string): string | undefined {
  for (let folder = start; ; folder = path.dirname(folder)) {
    if (readManifest(folder)?.name === name) return folder;
    if (path.dirname(folder) === folder) return undefined;
  }
}

function readManifest(folder: string): { readonly name?: string; readonly version?: string } | undefined {
  try {
    return JSON.parse(fs.readFileSync(path.join(folder, 'package.json'), 'utf8')) as {
      name?: string;
      version?: string;
    };
  } catch {
    return undefined;
  }
}

export = { installedVersion, packageFolder, packageVersion };
