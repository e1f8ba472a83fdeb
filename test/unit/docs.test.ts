import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { CHECKED_VERSIONS } from '../../lib/engine/bullmq/checked-versions.js';
import { OUTCOME_RULES } from '../../lib/workers/error-to-outcome.js';
import { engineRooms, entryPoints, rooms } from '../../oxlint.rooms.js';

/** Pages for people who read the code: each file and each symbol that they name has to exist. */
const PAGES = [
  'docs/architecture.md',
  'docs/upstream.md',
  'docs/port.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  'lib/engine/bullmq/README.md',
  'test/support/README.md',
];
const PAGES_FOR_USERS = [
  'README.md',
  'CHANGELOG.md',
  ...readdirSync('docs')
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`)
    .filter((page) => !PAGES.includes(page)),
  ...['', 'docker/', 'kubernetes/', 'systemd/', 'supervisor/', 'processes/'].map((form) => `deploy/${form}README.md`),
  'sample/README.md',
];

const FOLDERS = ['lib', 'test', 'docs', 'scripts', 'bench', 'sample'];
const sources = ['lib', 'docs', 'test/support', 'test/faults/support']
  .flatMap((folder) => readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)))
  .filter((path) => /\.(ts|js)$/.test(path))
  .concat('oxlint.rooms.js')
  .map((path) => ({ path, text: readFileSync(path, 'utf8') }));

describe.each(PAGES)('%s', (page) => {
  const text = readFileSync(page, 'utf8');

  it('names files that exist', () => {
    expect(pathsIn(text).filter((path) => !existsSync(path))).toEqual([]);
  });

  it('names symbols that exist', () => {
    expect(symbolsIn(text).filter((symbol) => !isDeclared(symbol))).toEqual([]);
  });
});

it.each([...PAGES, ...PAGES_FOR_USERS])('the links of %s lead somewhere', (page) => {
  const text = readFileSync(page, 'utf8');
  const targets = Array.from(text.matchAll(/\]\(([^)\s]+)\)/g), ([, target = '']) => target);
  const broken = targets.filter((target) => !/^[a-z]+:/.test(target) && !leadsSomewhere(page, target));
  expect(broken).toEqual([]);
});

it('docs/other-tools.md shows the module that the tests of bull-board use', () => {
  expect(readFileSync('docs/other-tools.md', 'utf8')).toContain(readFileSync('test/support/board.module.ts', 'utf8'));
});

it('docs/monitoring.md shows the controller that a test starts', () => {
  expect(readFileSync('docs/monitoring.md', 'utf8')).toContain(
    readFileSync('test/support/monitoring/health.controller.ts', 'utf8'),
  );
});

it('docs/batches.md shows an example that compiles', () => {
  expect(readFileSync('docs/batches.md', 'utf8')).toContain(readFileSync('docs/batches.example.ts', 'utf8'));
});

describe('docs/scale.md', () => {
  const [rows = []] = tablesWithHead(readFileSync('docs/scale.md', 'utf8'), [
    'Name',
    'Figure',
    'Redis',
    'PostgreSQL',
    'Command',
  ]);
  const sections = new Map(
    readFileSync('bench/RESULTS.md', 'utf8')
      .split(/^## /m)
      .map((section) => [section.split('\n')[0] ?? '', section] as const),
  );

  it.each(rows)(
    'the figure %s (%s) is about what its command has printed',
    (_name, _figure, redis = '', postgres = '', command = '') => {
      const name = /`npm run bench -- ([a-z-]+)`/.exec(command)?.[1] ?? '';
      const printed = Array.from(
        (sections.get(name) ?? '').matchAll(/\| ([\d,]+) (?:tasks\/s|bytes) +\|/g),
        ([, figure = '']) => numberOf(figure),
      );
      for (const figure of [redis, postgres].map(numberOf))
        expect(printed.some((other) => Math.abs(other - figure) <= figure / 4)).toBe(true);
    },
  );
});

function numberOf(figure: string): number {
  return Number(figure.replaceAll(',', ''));
}

describe('docs/architecture.md', () => {
  const page = readFileSync('docs/architecture.md', 'utf8');

  it('has the imports between rooms that lint checks', () => {
    const tables = tablesWithHead(page, ['Room', 'May import']).map(
      (rows) => new Map(rows.map(([room = '', allowed = '']) => [codeIn(room)[0] as string, codeIn(allowed)] as const)),
    );
    expect(tables).toEqual([new Map(Object.entries(rooms)), new Map(Object.entries(engineRooms))]);
  });

  it('names every folder of lib', () => {
    const [rows = []] = tablesWithHead(page, ['Room', 'What it holds']);
    const named = rows.map(([room = '']) => codeIn(room)[0]);
    const folders = [...Object.keys(rooms), ...entryPoints].map((room) => `lib/${room}`);
    expect(new Set(named)).toEqual(
      new Set([...folders, 'lib/engine/bullmq', 'lib/engine/memory', 'lib/engine/shards']),
    );
  });

  it('has the rules that turn an error into an outcome, in their order', () => {
    const [rows = []] = tablesWithHead(page, ['When', 'Outcome']);
    expect(rows.map(([when]) => when)).toEqual(OUTCOME_RULES.map(({ when }) => when));
  });
});

describe('docs/upstream.md', () => {
  const page = readFileSync('docs/upstream.md', 'utf8');

  it('names the checked versions', () => {
    const [rows = []] = tablesWithHead(page, ['Package', 'Checked']);
    const named = rows.map(([name = '', versions = '']) => [codeIn(name)[0], versions.split(', ')] as const);
    expect(named).toEqual(Object.entries(CHECKED_VERSIONS));
  });

  it('names every file that patches another library', () => {
    const patches = sources.map(({ path }) => path).filter((path) => /\/patched-[^/]+$/.test(path));
    expect(patches.length).toBeGreaterThan(3);
    expect(patches.filter((path) => !page.includes(path))).toEqual([]);
  });

  it('names a test for every deviation', () => {
    const rows = tablesWithHead(page, ['Where', 'The library by itself', 'Here, and why', 'Test']).flat();
    expect(rows.length).toBeGreaterThan(20);
    expect(rows.filter(([, , , test = '']) => !pathsIn(test).some((path) => path.startsWith('test/')))).toEqual([]);
  });
});

function codeIn(text: string): string[] {
  return Array.from(text.matchAll(/`([^`]+)`/g), ([, code = '']) => code);
}

/** Paths in code, from the root of the repository. A pattern such as `*.providers.ts` names no single file. */
function pathsIn(text: string): string[] {
  const inProse = text.replaceAll(/^```[^]*?^```/gm, '');
  return codeIn(inProse)
    .filter((code) => FOLDERS.some((folder) => code.startsWith(`${folder}/`)) && !/[*<…]/.test(code))
    .map((code) => code.replace(/\/$/, ''));
}

/** `TaskExecutor`, `TaskHandle.result`, `OUTCOME_RULES`, `toRecord`: what a reader may search for. */
function symbolsIn(text: string): string[] {
  const inProse = text.replaceAll(/^```[^]*?^```/gm, '');
  return codeIn(inProse).filter((code) => /^[A-Z]\w+(\.\w+)?$|^[a-z]+[A-Z]\w*(\(\))?$/.test(code) && code !== 'CI');
}

function isDeclared(symbol: string): boolean {
  const [owner = '', member] = symbol.replace('()', '').split('.');
  const word = (name: string) => new RegExp(`(?<![\\w$])${name}(?![\\w$])`);
  const withOwner = sources.filter(({ text }) => word(owner).test(text));
  return member === undefined ? withOwner.length > 0 : withOwner.some(({ text }) => word(member).test(text));
}

function leadsSomewhere(page: string, target: string): boolean {
  const [path = '', anchor] = target.split('#');
  const file = path === '' ? page : join(dirname(page), path);
  if (!existsSync(file)) return false;
  if (anchor === undefined || !statSync(file).isFile()) return true;
  const headings = Array.from(readFileSync(file, 'utf8').matchAll(/^#+ (.+)$/gm), ([, heading = '']) => slug(heading));
  return headings.includes(anchor);
}

/** The anchor of a heading, as GitHub makes it. */
function slug(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');
}

/** The rows of each table with these columns. */
function tablesWithHead(page: string, head: readonly string[]): string[][][] {
  const tables: string[][][] = [];
  let rows: string[][] | undefined;
  for (const line of page.split('\n')) {
    const cells = line.startsWith('|')
      ? line
          .slice(1, -1)
          .split(/(?<!\\)\|/)
          .map((cell) => cell.trim())
      : undefined;
    if (!cells) rows = undefined;
    else if (JSON.stringify(cells) === JSON.stringify(head)) tables.push((rows = []));
    else if (rows && !/^-+$/.test(cells[0] ?? '')) rows.push(cells);
  }
  return tables;
}
