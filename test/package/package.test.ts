import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createManagedProcess, type ManagedProcess } from '../support/managed-process.js';

/** The package as a user gets it: packed, and installed into an empty project with the required peers only. */

const root = join(import.meta.dirname, '../..');
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  name: string;
  bin: Record<string, string>;
  exports: Record<string, unknown>;
  devDependencies: Record<string, string>;
  peerDependencies: Record<string, string>;
  peerDependenciesMeta: Record<string, { optional: boolean }>;
};
const isOptional = (peer: string) => manifest.peerDependenciesMeta[peer]?.optional === true;
const peers = Object.keys(manifest.peerDependencies);
/** The optional peers without which an entry point cannot be loaded. */
const neededPeers: Record<string, string[]> = {
  'nestjs-task-queue/health': ['@nestjs/terminus'],
  'nestjs-task-queue/telemetry': ['@opentelemetry/api'],
  // The last one, because this package brings `@opentelemetry/api`.
  'nestjs-task-queue/metrics': ['prom-client'],
};
const allEntryPoints = Object.keys(manifest.exports)
  .filter((path) => path !== './package.json')
  .map((path) => join(manifest.name, path));
const withPeers = Object.keys(neededPeers);
const entryPoints = allEntryPoints.filter((path) => !neededPeers[path]);

let managed: ManagedProcess;
let tarball: string;
let project: string;

beforeAll(async () => {
  managed = await createManagedProcess();
  project = managed.folder;
  const packed = await npm(root, 'pack', '--ignore-scripts', '--json', '--pack-destination', project);
  const [{ filename }] = JSON.parse(packed) as [{ filename: string }];
  tarball = join(project, filename);
  writeFileSync(join(project, 'package.json'), '{ "private": true }');
  const required = peers.filter((peer) => !isOptional(peer));
  await npm(project, 'install', tarball, ...required.map((peer) => `${peer}@${manifest.devDependencies[peer]}`));
}, 300_000);

// The folder has many files: a busy machine takes long to remove it.
afterAll(() => managed.close(), 120_000);

test('publint finds no problem in the package', async () => {
  await tool('publint', 'run', tarball, '--strict');
});

test('the types resolve as the code does', async () => {
  await tool('attw', tarball);
  // It resolves each entry point in four ways, which takes long on a busy machine.
}, 120_000);

test('the optional peers are not installed', () => {
  const installed = peers.filter((peer) => existsSync(join(project, 'node_modules', peer)));
  expect(installed).toEqual(peers.filter((peer) => !isOptional(peer)));
});

test('the guide travels in the package', () => {
  const folder = join(project, 'node_modules', manifest.name);
  const pages = ['README.md', 'docs/README.md'].flatMap((page) => {
    const links = readFileSync(join(folder, page), 'utf8').matchAll(/\]\(((?!https?:)[\w./-]+)/g);
    return Array.from(links, ([, link = '']) => join(folder, page, '..', link)).filter((path) => path.includes('docs'));
  });
  expect(pages.length).toBeGreaterThan(10);
  expect(pages.filter((path) => !existsSync(path))).toEqual([]);
});

test('the licences of all that the package contains of other packages travel with it', () => {
  const folder = join(project, 'node_modules', manifest.name);
  const notices = readFileSync(join(folder, 'dist/THIRD-PARTY-NOTICES.txt'), 'utf8');
  const named = Array.from(notices.matchAll(/^(\S+) \d+\.\S+ \([\w.-]+\), in dist/gm), ([, name]) => name);
  const sources = readdirSync(join(root, 'dashboard'), { recursive: true, encoding: 'utf8' }).filter((name) =>
    /\.tsx?$/.test(name),
  );
  const imported = sources.flatMap((name) => {
    const imports = readFileSync(join(root, 'dashboard', name), 'utf8').matchAll(/from '((?:@[\w-]+\/)?[\w-]+)[^']*'/g);
    return Array.from(imports, ([, from]) => from);
  });
  expect(new Set(imported).size).toBeGreaterThan(3);
  expect(named).toEqual(expect.arrayContaining([...new Set(imported), 'bullmq', '@electric-sql/pglite']));
  expect(notices.match(/copyright|apache license/gi)?.length).toBeGreaterThanOrEqual(named.length);
});

test.each(entryPoints)('import("%s") has exports', async (entryPoint) => {
  expect(await exportsOf(`await import('${entryPoint}')`)).not.toEqual([]);
});

test.each(entryPoints)('require("%s") has exports', async (entryPoint) => {
  expect(await exportsOf(`createRequire(import.meta.url)('${entryPoint}')`)).not.toEqual([]);
});

test.each([
  ['import', (entryPoint: string) => `await import('${entryPoint}')`],
  ['require', (entryPoint: string) => `createRequire(import.meta.url)('${entryPoint}')`],
])('%s of the package does not load the command line', async (_, load) => {
  const files = await printedBy(`
    ${entryPoints
      .filter((path) => !path.endsWith('matchers'))
      .map(load)
      .join(';')};
    print(Object.keys(createRequire(import.meta.url).cache).filter((path) => /commander|[\\\\/]cli[\\\\/]/.test(path)));
  `);
  expect(files).toEqual([]);
});

// All of them before a peer is installed, because one peer may bring another.
test.each(Object.entries(neededPeers))('%s needs %j, and names it when it is missing', async (entryPoint, needed) => {
  for (const load of [`await import('${entryPoint}')`, `createRequire(import.meta.url)('${entryPoint}')`]) {
    const message = exportsOf(load).catch((error: Error) => error.message);
    await expect(message).resolves.toContain(needed[0]);
  }
});

test.each(Object.entries(neededPeers))(
  '%s can be loaded with %j, and its types compile',
  async (entryPoint, needed) => {
    const versions = needed.map((peer) => `${peer}@${manifest.devDependencies[peer]}`);
    await npm(project, 'install', '--no-save', ...versions);
    expect(await exportsOf(`await import('${entryPoint}')`)).not.toEqual([]);
    expect(await exportsOf(`createRequire(import.meta.url)('${entryPoint}')`)).not.toEqual([]);
    writeFileSync(join(project, 'uses.ts'), `export * from '${entryPoint}';\n`);
    const options = ['--module', 'nodenext', '--target', 'es2023', '--strict', '--skipLibCheck', 'false'];
    const types = ['--typeRoots', join(root, 'node_modules/@types'), '--types', 'node'];
    await tool('tsc', '--noEmit', '--ignoreConfig', ...options, ...types, join(project, 'uses.ts'));
  },
  120_000,
);

describe('the two builds', () => {
  const load = {
    import: "await import('nestjs-task-queue')",
    require: "createRequire(import.meta.url)('nestjs-task-queue')",
  };

  test.each([
    ['import', 'require'],
    ['require', 'import'],
  ] as const)('have the same classes and functions when %s comes first, then %s', async (first, second) => {
    const names = await printedBy(`
      const first = ${load[first]};
      const second = ${load[second]};
      print(Object.keys(first).filter((name) => first[name] !== second[name]));
    `);
    expect(names).toEqual([]);
  });

  test('export the same names', async () => {
    expect(await exportsOf(load.import)).toEqual((await exportsOf(load.require)).toSorted());
  });

  test('have the same decorator metadata', () => {
    const [esm, cjs] = [metadataIn('esm'), metadataIn('cjs')];
    expect(esm.filter((entry) => entry.startsWith('design:paramtypes')).length).toBeGreaterThan(10);
    expect(cjs).toEqual(esm);
  });

  test('refuse a second version in one process, and name both folders', async () => {
    const copy = join(project, 'node_modules/second-version');
    cpSync(join(project, 'node_modules/nestjs-task-queue'), copy, { recursive: true });
    const file = join(copy, 'package.json');
    const second = JSON.parse(readFileSync(file, 'utf8')) as object;
    writeFileSync(file, JSON.stringify({ ...second, version: '99.0.0' }));
    const message = (await printedBy(`
      ${load.import};
      await import('second-version').catch((error) => print(error.message));
    `)) as unknown as string;
    expect(message).toContain('Two versions of nestjs-task-queue are loaded in one process');
    expect(message).toContain(`99.0.0 in ${copy}`);
    expect(message).toContain(join(project, 'node_modules/nestjs-task-queue'));
  });
});

test.each(Object.keys(manifest.bin))('%s --help prints the usage', async (command) => {
  const { stdout } = await execute(join(project, 'node_modules/.bin', command), ['--help'], { cwd: project });
  expect(stdout).toContain(command);
});

// Last, because it installs the peers.
describe('the entry points that need a peer', () => {
  beforeAll(async () => {
    const names = ['@types/node', ...new Set(Object.values(neededPeers).flat())];
    await npm(project, 'install', ...names.map((peer) => `${peer}@${manifest.devDependencies[peer]}`));
  }, 300_000);

  test.each(withPeers)('the main entry does not load the peer of %s', async (entryPoint) => {
    const own = neededPeers[entryPoint]?.map((peer) => join('node_modules', peer, '/'));
    const loaded = await printedBy(`
      const require = createRequire(import.meta.url);
      require('nestjs-task-queue');
      require('nestjs-task-queue/testing');
      print(Object.keys(require.cache).filter((path) => ${JSON.stringify(own)}.some((peer) => path.includes(peer))));
    `);
    expect(loaded).toEqual([]);
  });

  test.each(withPeers)('an ES module and CommonJS share the classes of %s', async (entryPoint) => {
    const names = await printedBy(`
      const required = createRequire(import.meta.url);
      required('nestjs-task-queue');
      const [one, other] = [await import('${entryPoint}'), required('${entryPoint}')];
      print(Object.keys(one).filter((name) => one[name] !== other[name]));
    `);
    expect(names).toEqual([]);
  });

  test.each([
    ['an ES module', { module: 'nodenext', moduleResolution: 'nodenext' }, 'mts'],
    ['CommonJS', { module: 'nodenext', moduleResolution: 'nodenext' }, 'cts'],
    ['a bundler', { module: 'esnext', moduleResolution: 'bundler' }, 'ts'],
  ])(
    'have types that compile for %s, and so have the types that they use',
    async (_, options, extension) => {
      const file = `types.${extension}`;
      writeFileSync(
        join(project, file),
        ["import { Module } from '@nestjs/common';", "import { TaskQueueModule } from 'nestjs-task-queue';"]
          .concat(withPeers.map((path, index) => `import * as entry${index} from '${path}';`))
          .concat(
            `export const all = [Module, TaskQueueModule, ${withPeers.map((_path, index) => `entry${index}`).join()}];`,
          )
          .join('\n'),
      );
      const config = `tsconfig.${extension}.json`;
      writeFileSync(
        join(project, config),
        JSON.stringify({
          compilerOptions: {
            ...options,
            target: 'es2022',
            strict: true,
            skipLibCheck: false,
            noEmit: true,
            types: ['node'],
          },
          files: [file],
        }),
      );
      const { stdout } = await execute(process.execPath, [tsc, '-p', config], { cwd: project }).catch(
        (error: { stdout: string }) => error,
      );
      // Only our own types are ours to mend.
      expect(stdout.split('\n').filter((line) => /nestjs-task-queue|^types\./.test(line))).toEqual([]);
    },
    120_000,
  );
});

const execute = promisify(execFile);
const tsc = join(root, 'node_modules/@typescript/native/bin/tsc');

/** The names of the exports of an expression's value. */
function exportsOf(expression: string): Promise<string[]> {
  return printedBy(`print(Object.keys(${expression}));`);
}

/** What a program prints with `print(value)`. Any output to stderr, such as a warning, fails the test. */
async function printedBy(program: string): Promise<string[]> {
  const code = `
    import 'reflect-metadata';
    import { createRequire } from 'node:module';
    const print = (value) => console.log(JSON.stringify(value));
    ${program}
  `;
  const { stdout, stderr } = await execute(process.execPath, ['--input-type=module', '-e', code], { cwd: project });
  expect(stderr).toBe('');
  return JSON.parse(stdout) as string[];
}

/** The metadata that the compiler wrote for decorated classes. The files of the two builds differ. */
function metadataIn(build: 'esm' | 'cjs'): string[] {
  const folder = join(project, 'node_modules/nestjs-task-queue/dist', build);
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.js'));
  return files
    .flatMap((name) => {
      const code = readFileSync(join(folder, name), 'utf8');
      return Array.from(
        code.matchAll(/__metadata(?:\$\d+)?\("(design:[a-z]+)", ([^]+?)\)(?:,?\n)/g),
        ([, key, types = '']) =>
          // CommonJS names an imported class with its module before it.
          `${key} ${types.replaceAll(/\s+/g, ' ').replaceAll(/\b\w+_\d+\.(?=[A-Z])/g, '')}`,
      );
    })
    .toSorted();
}

/** Runs a tool. Rejects with its output when the tool fails. */
async function tool(name: string, ...args: string[]): Promise<void> {
  await execute(join(root, 'node_modules/.bin', name), args, { cwd: root }).catch(
    (error: { stdout: string; stderr: string }) => {
      throw new Error(error.stdout + error.stderr);
    },
  );
}

async function npm(folder: string, ...args: string[]): Promise<string> {
  const { stdout } = await execute('npm', args, { cwd: folder, shell: process.platform === 'win32' });
  return stdout;
}
