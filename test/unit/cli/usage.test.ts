import { describe, expect, it } from '@jest/globals';
import { commandLine } from '../../support/command-line.js';

describe('wrong usage is one clear line, exit code 2, and nothing is done', () => {
  it.each([
    ['an unknown command', ['stauts'], /unknown command 'stauts'/],
    ['an unknown option', ['workers', '--colour', 'red'], /unknown option '--colour'/],
    ['a missing id', ['show'], /missing required argument 'id'/],
    ['too many arguments', ['show', 'a', 'b'], /too many arguments/],
    ['arguments that are no JSON', ['enqueue', 'A.b', '--args', '[1,'], /^--args is no JSON: .*Give a list/],
    ['arguments that are no list', ['enqueue', 'A.b', '--args', '{"a":1}'], /^--args is \{"a":1\}\. Give a list/],
    [
      'a header without a value',
      ['enqueue', 'A.b', '--header', 'owner'],
      /^--header is "owner"\. Give a name and a value/,
    ],
    ['a URL of an unknown kind', ['workers', '--url', 'mysql://a:hush@b/c'], /^connection is "mysql:\/\/b\/c"/],
    ['a prefix that is not valid', ['workers', '--url', 'redis://h', '--prefix', 'a b'], /^prefix is "a b"/],
    ['the memory engine', ['workers', '--url', 'memory:x'], /^memory:x is in the memory of one process/],
    ['an embedded engine without a folder', ['workers', '--url', 'pglite:'], /is in the memory of one process/],
    ['a folder that is not there', ['workers', '--url', 'pglite:/no/such'], /^There is no folder \/no\/such/],
    ['an unknown dialect', ['outbox', '--dialect', 'oracle'], /^--dialect is "oracle"\. Use postgres, mysql, sqlite/],
    ['a table of no possible name', ['outbox', '--table', 'a; b'], /^--table is "a; b"/],
    ['tables on Redis', ['migrate', '--url', 'redis://a:hush@h:1/0'], /^redis:\/\/h:1\/0 has no tables/],
  ])('%s', async (_, args, message) => {
    const { code, out, err } = await commandLine(args);
    expect(err).toMatch(message);
    expect(err).not.toContain('hush');
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err.trim().split('\n').length).toBeLessThanOrEqual(3);
  });

  it('without a command the help is shown', async () => {
    const { code, out, err } = await commandLine([]);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain('Usage: nestjs-task-queue <command> [options]');
  });
});

it.each([['--help'], ['workers --help'], ['help enqueue']])('%s prints the help, exit code 0', async (args) => {
  const { code, out } = await commandLine(args.split(' '));
  expect(code).toBe(0);
  expect(out).toContain('Usage: nestjs-task-queue');
  expect(out).toContain('--json');
});

it.each([
  ['postgres', 'GENERATED ALWAYS AS IDENTITY'],
  ['mysql', 'AUTO_INCREMENT'],
  ['sqlite', 'AUTOINCREMENT'],
])('outbox --dialect %s prints the table', async (dialect, part) => {
  const { code, out } = await commandLine(['outbox', '--dialect', dialect]);
  expect(code).toBe(0);
  expect(out).toMatch(/^CREATE TABLE IF NOT EXISTS task_outbox \(\n/);
  expect(out).toContain(part);
  expect(out.trim().endsWith(';')).toBe(true);
  const json = await commandLine(['outbox', '--dialect', dialect, '--table', 'app.calls', '--json']);
  expect(JSON.parse(json.out)).toMatchObject({
    dialect,
    table: 'app.calls',
    sql: expect.stringContaining('app.calls ('),
  });
});
