import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createManagedProcess, type ManagedProcess } from '../../support/managed-process.js';
import { run, start, type Output, type RunningCommand } from './commands.js';
import { firstSnippet } from './readme.js';

const root = join(import.meta.dirname, '../../..');

/** The versions of Nest's command line that generate the starters. */
const CLI = { 11: '@nestjs/cli@11.0.13', 12: '@nestjs/cli@12.0.8' } as const;

/**
 * An application in a temporary folder, as a user has it: Nest's own starter with the packed library installed. It goes
 * away with the test run.
 */
export class Application {
  private constructor(
    readonly folder: string,
    private readonly home: ManagedProcess,
  ) {}

  /** `nest new`, without its packages. */
  static async generate(nest: keyof typeof CLI): Promise<Application> {
    const home = await createManagedProcess();
    const app = new Application(join(home.folder, 'app'), home);
    const options = ['--skip-install', '--skip-git', '--package-manager', 'npm', '--language', 'TS'];
    await run(home.folder, 'npm', ['exec', '--yes', '--package', CLI[nest], '--', 'nest', 'new', 'app', ...options]);
    return app;
  }

  write(path: string, text: string): void {
    const file = join(this.folder, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }

  /**
   * Installs the starter as generated, then the packed library with further packages.
   *
   * @returns npm's warnings about the second step, without those that the starter has by itself
   */
  async install(...packages: string[]): Promise<string[]> {
    const before = warningsIn(await this.npm('install'));
    const tarball = await packLibrary(this.home.folder);
    const after = warningsIn(await this.npm('install', tarball, ...packages));
    return after.filter((line) => !before.includes(line));
  }

  npm(...args: string[]): Promise<Output> {
    return run(this.folder, 'npm', args);
  }

  /** Runs a program of node_modules/.bin. */
  bin(name: string, ...args: string[]): Promise<Output> {
    return run(this.folder, join(this.folder, 'node_modules/.bin', name), args);
  }

  /** Starts the command `worker` of the installed library. Resolves once a process takes tasks. */
  worker(args: readonly string[], environment: Readonly<Record<string, string>>): Promise<RunningCommand> {
    const bin = join(this.folder, 'node_modules/.bin/nestjs-task-queue');
    return start(this.folder, bin, ['worker', ...args], environment, 'is ready');
  }

  node(args: readonly string[], environment: Readonly<Record<string, string>> = {}): Promise<Output> {
    return run(this.folder, process.execPath, args, environment);
  }

  close(): Promise<void> {
    return this.home.close();
  }
}

/** The README's first snippet as it stands, as the module of the application. */
export function writeSnippet(app: Application): void {
  app.write('src/app.module.ts', firstSnippet());
}

/**
 * The lines with which npm warns. It asks everybody to allow install scripts (BullMQ has an optional one), and reports
 * deprecated packages deep inside others; both are no warnings about the library.
 */
function warningsIn({ stdout, stderr }: Output): string[] {
  return `${stdout}\n${stderr}`
    .split('\n')
    .filter(
      (line) => /^npm (warn|error)/i.test(line) && !/^npm warn (deprecated|install-scripts|allow-scripts)/i.test(line),
    );
}

/** Packs the library as it would be published. @returns the tarball */
async function packLibrary(folder: string): Promise<string> {
  const args = ['pack', '--ignore-scripts', '--json', '--pack-destination', folder];
  const { stdout } = await run(root, 'npm', args);
  return join(folder, (JSON.parse(stdout) as [{ filename: string }])[0].filename);
}
