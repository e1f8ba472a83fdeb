#!/usr/bin/env node
import { parseArgs } from 'node:util';
import { parseConnection, withoutPassword } from '../engine/connection.js';
import { openPostgres } from '../engine/bullmq/postgres/open-postgres.js';
import { ConfigurationError } from '../errors.js';

const USAGE = `nestjs-task-queue migrate --url postgres://owner:password@host/database [--prefix tasks] [--grant role]

Creates or updates the tables in PostgreSQL, for an application whose role may not do so.
  --url     the database, with a role that may change its tables; default: TASK_QUEUE_URL
  --prefix  the schema, as in the option prefix; default: tasks
  --grant   the role of the application, which gets the right to use the tables
`;

async function main(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      url: { type: 'string' },
      prefix: { type: 'string', default: 'tasks' },
      grant: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help || positionals.length !== 1 || positionals[0] !== 'migrate') {
    (values.help ? process.stdout : process.stderr).write(USAGE);
    return values.help ? 0 : 2;
  }
  const url = values.url ?? process.env['TASK_QUEUE_URL'] ?? '';
  const connection = parseConnection(url);
  if (connection.kind !== 'postgres')
    throw new ConfigurationError(
      `${withoutPassword(url)} has no tables to migrate. Give the URL of a PostgreSQL database with --url.`,
    );
  const driver = await openPostgres(connection, values.prefix);
  try {
    await driver.connect();
    process.stdout.write(`The schema "${values.prefix}" of ${driver.address} is up to date.\n`);
    if (values.grant === undefined) return 0;
    await driver.grant(values.grant);
    process.stdout.write(`The role ${values.grant} may use the schema.\n`);
  } finally {
    await driver.close();
  }
  return 0;
}

main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  },
);
