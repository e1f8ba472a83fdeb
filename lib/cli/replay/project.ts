import { existsSync, readFileSync } from 'node:fs';
import { dirname, extname, join, relative, resolve, sep } from 'node:path';
import { wrongUsage } from '../exit-code.js';

/** What a test file has to know of the application's project. */
export interface TestProject {
  /** The specifier of the application's module, seen from the test file. */
  readonly modulePath: string;
  /** The name of the exported class. */
  readonly moduleName: string;
  /** Where `test` and `expect` come from; `undefined`: they are global. */
  readonly runner: string | undefined;
  /** Whether the file uses `require`. */
  readonly isCommonJs: boolean;
}

interface Manifest {
  readonly type?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

/** Where Nest's own generator puts the module of an application. */
const USUAL_MODULES = ['src/app.module.ts', 'src/app.module.js', 'app.module.ts', 'dist/app.module.js'];

/**
 * @param folder the folder of the application
 * @param file the test file
 * @param module `src/app.module.ts#AppModule`; default: where Nest's generator puts it
 * @throws CommandError when the module that was named is not there
 */
export function readProject(folder: string, file: string, module: string | undefined): TestProject {
  const manifest = readManifest(folder);
  const isEsm = manifest.type === 'module' || ['.mts', '.mjs'].includes(extname(file));
  const isCommonJs = extname(file) === '.cjs' || (extname(file) === '.js' && !isEsm);
  const [path = '', name = 'AppModule'] = (module ?? usualModule(folder)).split('#');
  if (module !== undefined && !existsSync(resolve(folder, path))) {
    throw wrongUsage(
      `There is no file ${resolve(folder, path)}. Give the module of the application: --module src/app.module.ts#AppModule.`,
    );
  }
  return {
    modulePath: specifierOf(resolve(folder, path), file, isEsm),
    moduleName: name,
    runner: runnerOf(manifest),
    isCommonJs,
  };
}

function usualModule(folder: string): string {
  return USUAL_MODULES.find((path) => existsSync(join(folder, path))) ?? 'src/app.module.ts';
}

/** ES modules name the file that comes out of the compiler, CommonJS leaves the ending out. */
function specifierOf(module: string, file: string, isEsm: boolean): string {
  const path = relative(dirname(file), module).split(sep).join('/');
  const specifier = path.startsWith('.') ? path : `./${path}`;
  return isEsm ? specifier.replace(/\.(m?)ts$/, '.$1js') : specifier.replace(/\.[cm]?[jt]s$/, '');
}

function runnerOf({ dependencies, devDependencies }: Manifest): string | undefined {
  const installed = { ...dependencies, ...devDependencies };
  return ['vitest', '@jest/globals'].find((name) => Object.hasOwn(installed, name));
}

function readManifest(folder: string): Manifest {
  try {
    return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
  } catch {
    return {};
  }
}
