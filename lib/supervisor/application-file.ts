import { existsSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { ConfigurationError } from '../errors.js';
import { packageFolder } from '../package-location.cjs';

/** The module that the command runs. */
export interface ApplicationFile {
  /** The absolute path. */
  readonly file: string;
  readonly exportName: string | undefined;
  /** As the command line has it, for messages. */
  readonly shown: string;
}

/** A bundle has Nest itself in its text. */
const LARGEST_MAIN = 256 * 1024;
const STARTS_AN_APPLICATION = /\bNestFactory\.create(Microservice|ApplicationContext)?\s*\(/;

/**
 * Finds the file that `file#Name` means.
 *
 * @param text as the command line or `TASK_QUEUE_MODULE` has it
 * @param folder the working directory
 * @throws ConfigurationError when there is no such file, or when it starts an application by itself
 */
export function findApplication(text: string | undefined, folder: string): ApplicationFile {
  if (!text) {
    throw new ConfigurationError(
      'Give the compiled file with the module of the application: nestjs-task-queue worker ./dist/app.module.js#AppModule.',
    );
  }
  const [path = '', exportName] = text.split('#');
  const file = fileOf(resolve(folder, path));
  if (file === undefined)
    throw new ConfigurationError(`There is no file ${resolve(folder, path)}. ${hint(folder, path)}`);
  if (startsApplication(file)) {
    throw new ConfigurationError(
      `${text} starts an application by itself, with NestFactory.create(). Give the file that exports its module instead: ` +
        `${usual(folder, dirname(file)) ?? './dist/app.module.js'}#AppModule. What main.ts sets on the application belongs into configureWorker(): see docs/running.md.`,
    );
  }
  return { file, exportName: exportName || undefined, shown: text };
}

/**
 * The program of the package that the application has in its own folder; `undefined` when that is this package, or when there is none, as
 * for a bundle.
 */
export function programOfApplication({ file }: ApplicationFile): string | undefined {
  let manifest: string;
  try {
    manifest = createRequire(file).resolve('nestjs-task-queue/package.json');
  } catch {
    return undefined;
  }
  const own = packageFolder();
  if (own !== undefined && realpathSync(dirname(manifest)) === realpathSync(own)) return undefined;
  const { bin } = JSON.parse(readFileSync(manifest, 'utf8')) as { bin?: Readonly<Record<string, string>> };
  const program = bin?.['nestjs-task-queue'];
  return program === undefined ? undefined : join(dirname(manifest), program);
}

/** `./dist/app.module` means `./dist/app.module.js`. */
function fileOf(path: string): string | undefined {
  return [path, `${path}.js`, `${path}.cjs`, `${path}.mjs`].find((file) => existsSync(file) && statSync(file).isFile());
}

function startsApplication(file: string): boolean {
  if (statSync(file).size > LARGEST_MAIN) return false;
  return STARTS_AN_APPLICATION.test(readFileSync(file, 'utf8'));
}

function hint(folder: string, path: string): string {
  const found = usual(folder, dirname(resolve(folder, path)));
  if (found !== undefined) return `Did you mean ${found}?`;
  return 'Build the application first, and give the file that comes out: ./dist/app.module.js.';
}

/** Where the compilers of Nest's command line put the module. */
function usual(folder: string, beside: string): string | undefined {
  const files = [beside, join(folder, 'dist'), join(folder, 'dist/src')].map((place) => join(place, 'app.module.js'));
  const found = files.find((file) => existsSync(file));
  return found === undefined ? undefined : `./${relative(folder, found) || basename(found)}`;
}
