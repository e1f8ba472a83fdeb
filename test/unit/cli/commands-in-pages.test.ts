import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { commandLine } from '../../support/command-line.js';

/** Where commands are written down: pages, alerts, and the cures in messages. */
const FILES = ['README.md', 'CHANGELOG.md'].concat(
  ...['docs', 'deploy', 'monitoring', 'lib', 'scripts/monitoring', 'sample/README.md'].map(filesOf),
);

/** The options of each command, those of all commands among them. */
const known = new Map<string, ReadonlySet<string>>();

beforeAll(async () => {
  const { out } = await commandLine(['--help']);
  const commands = Array.from(
    (out.split('\nCommands:')[1] ?? '').matchAll(/^ {2}([a-z]+) /gm),
    ([, name = '']) => name,
  );
  for (const name of commands) {
    if (name === 'help') continue;
    const help = await commandLine(['help', name]);
    known.set(
      name,
      new Set(Array.from(help.out.matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gm), ([, option = '']) => option)),
    );
  }
});

it('every command that a page, an alert or a message names is there, with these options', () => {
  expect(known.size).toBeGreaterThan(15);
  const unknown: string[] = [];
  let count = 0;
  for (const file of FILES) {
    for (const [text, name = '', rest = ''] of readFileSync(file, 'utf8').matchAll(
      /npx nestjs-task-queue ([a-z]+)([^`#\n]*)/g,
    )) {
      count++;
      const options = Array.from(rest.matchAll(/ (--[a-z][a-z-]*)/g), ([, option = '']) => option);
      const isKnown = name === 'help' || options.every((option) => known.get(name)?.has(option));
      if (!isKnown || !(name === 'help' || known.has(name))) unknown.push(`${file}: ${text}`);
    }
  }
  expect(unknown).toEqual([]);
  expect(count).toBeGreaterThan(50);
});

describe('docs/operating.md', () => {
  const page = readFileSync('docs/operating.md', 'utf8');
  const rows = (page.split('## Commands')[1] ?? '').split('\n').filter((line) => /^\| `[a-z]+/.test(line));

  it('has a row for every command, with options that it has', () => {
    const named = rows.flatMap((row) =>
      Array.from((row.split(' | ')[0] ?? '').matchAll(/`([a-z]+)([^`]*)`/g), ([, name = '', rest = '']) => ({
        name,
        options: Array.from(rest.matchAll(/--[a-z-]+/g), ([option]) => option),
      })),
    );
    expect(new Set(named.map(({ name }) => name))).toEqual(new Set(known.keys()));
    expect(named.filter(({ name, options }) => options.some((option) => !known.get(name)?.has(option)))).toEqual([]);
  });

  it('names every filter', () => {
    const filters = [...(known.get('list') ?? [])].filter((option) => known.get('cancel')?.has(option));
    const global = known.get('doctor');
    expect(filters.filter((option) => !global?.has(option) && !page.includes(`\`${option}`))).toEqual([]);
  });
});

it('docs/running.md has a row for every option of the worker command', () => {
  const page = readFileSync('docs/running.md', 'utf8');
  const own = [...(known.get('worker') ?? [])].filter((option) => !known.get('doctor')?.has(option));
  expect(own.filter((option) => !page.includes(`| \`${option}`))).toEqual([]);
});

function filesOf(path: string): string[] {
  if (/\.\w+$/.test(path)) return [path];
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(md|yml|yaml|json|c?ts|service|conf)$/.test(name))
    .map((name) => join(path, name));
}
