import { expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import pg from 'pg';
import { createDatabase } from '../../support/servers.js';

const PROGRAM = 'test/contract/transactions/lost-mail.program.ts';
const root = join(import.meta.dirname, '../../..');

it.each([
  ['race', 0],
  ['transaction', 1],
])('the program of docs/transactions.md, run as %s, has stored its order and %i mails', async (mode, mails) => {
  expect(readFileSync(join(root, 'docs/transactions.md'), 'utf8')).toContain(`](../${PROGRAM})`);
  const database = await createDatabase(process.env['TEST_POSTGRES_URL'] as string);
  const client = new pg.Client(database.url);
  await client.connect();
  await client.query('CREATE TABLE orders (id integer PRIMARY KEY)');
  const loader = pathToFileURL(join(root, 'test/support/typescript-loader.js')).href;
  const { signal, stderr } = spawnSync(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', '--import', loader, join(root, PROGRAM), database.url, mode],
    { env: { ...process.env, NODE_OPTIONS: '' }, encoding: 'utf8' },
  );
  expect([signal, stderr]).toEqual(['SIGKILL', '']);
  expect((await client.query('SELECT id FROM orders')).rows).toEqual([{ id: 1 }]);
  const jobs = await client.query(`SELECT data -> 'args' AS args FROM tasks.job WHERE name = 'MailTasks.confirm'`);
  expect(jobs.rows).toEqual(mails === 0 ? [] : [{ args: [1] }]);
  await client.end();
  await database.drop();
});
