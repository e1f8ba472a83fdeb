import { expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { createDatabase } from '../support/servers.js';

it('with nestjs-cls and TypeORM, calls join the transaction that is open', async () => {
  const database = await createDatabase(process.env['TEST_POSTGRES_URL'] as string);
  const loader = pathToFileURL(join(import.meta.dirname, '../support/typescript-loader.js')).href;
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [
      '--disable-warning=ExperimentalWarning',
      '--import',
      loader,
      join(import.meta.dirname, 'nestjs-cls.program.ts'),
      database.url,
    ],
    { env: { ...process.env, NODE_OPTIONS: '', JEST_WORKER_ID: '' } },
  );
  expect(stdout).toContain('done');
  await database.drop();
});
