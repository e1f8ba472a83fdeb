import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ConfigurationError } from '../errors.js';
import { checkFields, type FieldsOf } from '../option-fields.js';

/** How the tasks with the option `isolate` run in child processes. */
export interface IsolationOptions {
  /**
   * The compiled file that exports the root module of the application, which each child process boots: a `file:` URL, or a path that is
   * absolute or relative to the working directory. The worker command knows the file of its own command line, so there it may be
   * left out.
   *
   * @example new URL('./app.module.js', import.meta.url) // in CommonJS: join(__dirname, 'app.module.js')
   */
  readonly app?: URL | string;
  /** The name under which the file exports the module. Default: `AppModule`, else the default export or the only class. */
  readonly export?: string;
  /** How many child processes run tasks, for all queues of this process together: a whole number, at least 1. Default: 2. */
  readonly processes?: number;
  /** A child process is replaced after this number of attempts: a whole number, at least 1. Default: 100. */
  readonly maxTasks?: number;
}

/** The application that a child process boots. */
export interface IsolatedApplication {
  /** An absolute path. */
  readonly file: string;
  readonly exportName: string | undefined;
}

/** Checked and complete options. */
export interface ResolvedIsolation {
  /** `undefined` when nothing names the application. */
  readonly app: IsolatedApplication | undefined;
  readonly processes: number;
  readonly maxTasks: number;
}

const KNOWN: FieldsOf<IsolationOptions> = { app: true, export: true, processes: true, maxTasks: true };

/**
 * @param known the application that the worker command runs; the option `app` takes precedence
 * @returns `undefined` when isolated tasks run in the process itself
 * @throws ConfigurationError naming the option and its value
 */
export function resolveIsolation(
  options: false | IsolationOptions,
  known: IsolatedApplication | undefined,
): ResolvedIsolation | undefined {
  if (options === false) return undefined;
  checkFields<IsolationOptions>(options, 'isolation', KNOWN);
  const { app, export: exportName, processes = 2, maxTasks = 100 } = options;
  const named = checkName(exportName);
  return {
    app: app === undefined ? known : { file: fileOf(app), exportName: named },
    processes: wholeNumber(processes, 'processes', 'child processes'),
    maxTasks: wholeNumber(maxTasks, 'maxTasks', 'attempts'),
  };
}

function fileOf(app: URL | string): string {
  if (app instanceof URL || (typeof app === 'string' && app.startsWith('file:'))) {
    const url = new URL(app);
    if (url.protocol === 'file:') return fileURLToPath(url);
  } else if (typeof app === 'string' && app !== '') return resolve(app);
  throw new ConfigurationError(
    `isolation.app is ${JSON.stringify(app)}. Give the compiled file of the root module: new URL('./app.module.js', import.meta.url), ` +
      "or in CommonJS join(__dirname, 'app.module.js').",
  );
}

function checkName(name: string | undefined): string | undefined {
  if (name === undefined || (typeof name === 'string' && name !== '')) return name;
  throw new ConfigurationError(`isolation.export is ${JSON.stringify(name)}. Give the name of the exported module.`);
}

function wholeNumber(value: number, option: string, unit: string): number {
  if (Number.isInteger(value) && value >= 1) return value;
  throw new ConfigurationError(`isolation.${option} is ${String(value)}. Give a whole number of ${unit}, at least 1.`);
}
