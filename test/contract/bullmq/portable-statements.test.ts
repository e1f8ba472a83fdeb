import { createRequire } from 'node:module';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { runMigrations } from 'bullmq';
import pg from 'pg';
import { PortableStatements } from '../../../lib/engine/bullmq/postgres/portable-statements.js';
import { freePrefix } from '../../support/servers.js';

const { SQL_COMMANDS } = createRequire(import.meta.url)('bullmq/dist/cjs/postgres/sql-scripts.js') as {
  SQL_COMMANDS: Record<string, string>;
};

/** PostgreSQL alone: BullMQ's statements leave the schema out. */
describe('portable statements', () => {
  const schema = `Odd_${freePrefix()}`;
  const statements = new PortableStatements(schema, 'statement');
  let client: pg.Client;
  beforeAll(async () => {
    client = new pg.Client(process.env['TEST_POSTGRES_URL']);
    await client.connect();
    await runMigrations(client, schema);
    await client.query('SET search_path TO pg_catalog');
    await statements.load(client);
  });
  afterAll(async () => {
    await client.query(`DROP SCHEMA "${schema}" CASCADE`);
    await client.end();
  });

  it.each(Object.keys(SQL_COMMANDS).filter((name) => !name.startsWith('listen_')))(
    'the statement %s finds its tables, functions and types without a search path',
    async (name) => {
      const text = statements.qualify(SQL_COMMANDS[name] as string);
      await client.query(`PREPARE statement AS ${text}`);
      await client.query('DEALLOCATE statement');
    },
  );

  it.each([
    [`SELECT event, 'FROM job' AS text FROM event -- of a job(1)`, `SELECT event, 'FROM job' AS text FROM S.event `],
    ['SELECT pause($1), "FROM job".id FROM "job"', 'SELECT S.pause($1), "FROM job".id FROM "job"'],
    ['SELECT other.job.id, other.pause(1) FROM other.job', 'SELECT other.job.id, other.pause(1) FROM other.job'],
    ['INSERT INTO meta (queue) VALUES ($1::job_state) ON CONFLICT DO UPDATE SET a = 1', undefined],
    ['DELETE FROM job USING input WHERE job.id = input.id', 'DELETE FROM S.job USING input WHERE job.id = input.id'],
    ['LISTEN bullmq_jobs', 'LISTEN bullmq_jobs'],
  ])('%s', (text, expected) => {
    const qualified = statements.qualify(text).replaceAll(`"${schema}".`, 'S.');
    expect(qualified).toBe(
      expected ?? 'INSERT INTO S.meta (queue) VALUES ($1::S.job_state) ON CONFLICT DO UPDATE SET a = 1',
    );
  });
});
