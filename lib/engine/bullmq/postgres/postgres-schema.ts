import type { PgQueryable } from 'bullmq';
import { bareError } from '../../bare-error.js';
import { bullmq } from '../bullmq-package.cjs';
import { CONTROL_QUEUE, WORKFLOW_QUEUE } from '../../task-id.js';
import { ConfigurationError } from '../../../errors.js';
import { lacksRight } from './outage.js';

/**
 * Whether BullMQ's tables in `schema` are missing, or older than this version of BullMQ needs.
 *
 * @throws ConfigurationError when another attempt cannot help
 */
export async function needsMigration(client: PgQueryable, schema: string, address: string): Promise<boolean> {
  const { installed, latest } = await schemaVersion(client, schema, address);
  return installed < latest;
}

/**
 * Brings BullMQ's tables in `schema` up to date. BullMQ takes a lock for that, so replicas that start together do not
 * race.
 *
 * @param client one session, not a pool: the lock and the migrations share a transaction
 * @throws ConfigurationError when another attempt cannot help, with the command to run when the role may not migrate
 */
export async function migrateSchema(client: PgQueryable, schema: string, address: string): Promise<void> {
  try {
    await bullmq.runMigrations(withoutLimits(client), schema);
  } catch (error) {
    throw (await asConfigurationError(error, client, schema, address)) ?? error;
  }
}

/**
 * A client whose transactions see what another replica has just committed, and take as long as they need, whatever the
 * application, the role or the database sets.
 */
function withoutLimits(client: PgQueryable): PgQueryable {
  return { query: (text, params) => client.query(text === 'BEGIN' ? BEGIN_WITHOUT_LIMITS : text, params) };
}

const BEGIN_WITHOUT_LIMITS = [
  'BEGIN ISOLATION LEVEL READ COMMITTED',
  'SET LOCAL statement_timeout = 0',
  'SET LOCAL lock_timeout = 0',
  'SET LOCAL idle_in_transaction_session_timeout = 0',
].join('; ');

/** The error of a process that may not migrate, with the command that does. */
export function migrationIsDue(
  { installed, latest }: SchemaVersion,
  schema: string,
  address: string,
): ConfigurationError {
  const state =
    installed === 0
      ? 'has no tables'
      : `is at version ${installed}, and this version of the package needs version ${latest}`;
  return new ConfigurationError(
    `The schema "${schema}" of ${address} ${state}, and this process may not change it (migrations: 'check'). Run this before the ` +
      `application starts: npx nestjs-task-queue migrate --url postgres://<owner>@<host>/<database> --prefix ${schema}`,
  );
}

/** The version of BullMQ's tables that is installed, and the one that this version of BullMQ needs. */
export interface SchemaVersion {
  /** 0 when there are no tables yet. */
  readonly installed: number;
  readonly latest: number;
}

/**
 * Reads the version of the tables, and changes nothing.
 *
 * @throws ConfigurationError when another attempt cannot help
 */
export async function schemaVersion(client: PgQueryable, schema: string, address: string): Promise<SchemaVersion> {
  try {
    return { installed: await installedVersion(client, schema), latest: bullmq.LATEST_SCHEMA_VERSION };
  } catch (error) {
    throw (await asConfigurationError(error, client, schema, address)) ?? error;
  }
}

/** The version of BullMQ's tables; 0 when there are none yet. */
async function installedVersion(client: PgQueryable, schema: string): Promise<number> {
  try {
    return await bullmq.assertSchemaCompatibility(client, schema);
  } catch (error) {
    if (nameOf(error) === 'SchemaMigrationRequiredError') return 0;
    throw error;
  }
}

/** The error with its cure, when another attempt cannot help; `undefined` for any other error. */
export async function asConfigurationError(
  error: unknown,
  client: PgQueryable,
  schema: string,
  address: string,
): Promise<ConfigurationError | undefined> {
  const { code = '', message = '' } = error as { code?: string; message?: string };
  const name = nameOf(error);
  if (lacksRight(error)) {
    const role = await currentRole(client);
    return new ConfigurationError(
      `${address}: the role ${role ?? 'of this application'} may not use or change the schema "${schema}" (${message}). ` +
        'Run this once, and after each update of bullmq, as a role that may: ' +
        `npx nestjs-task-queue migrate --url postgres://<owner>@<host>/<database> --prefix ${schema} --grant ${role ?? '<role>'}`,
      { cause: bareError(error) },
    );
  }
  const refused = /unsupported startup parameter(?: in options)?: (\w+)/.exec(message)?.[1];
  if (refused !== undefined) {
    return new ConfigurationError(
      `${address} cannot be used: a pooler such as PgBouncer refuses the setting ${refused} of the connection. Remove it from ` +
        'TASK_QUEUE_URL, the option connection and the environment (PGOPTIONS), and set it for the role (ALTER ROLE … SET …), ' +
        'or add it to ignore_startup_parameters in the configuration of the pooler.',
      { cause: error },
    );
  }
  if (name === 'SchemaVersionMismatchError' || name === 'UnsupportedPostgresVersionError') {
    const cure = name === 'SchemaVersionMismatchError' ? 'Update the package bullmq' : 'Update PostgreSQL';
    return new ConfigurationError(
      `${address} cannot be used: ${message} ${cure}, or choose another schema with the option prefix.`,
      { cause: bareError(error) },
    );
  }
  if (
    code.startsWith('28') ||
    code === '3D000' ||
    /password must be a string|SASL|does not support SSL|certificate/i.test(message)
  ) {
    return new ConfigurationError(
      `${address} cannot be used: ${message}. Check user, password, database and TLS in TASK_QUEUE_URL or the option connection.`,
      { cause: bareError(error) },
    );
  }
  return undefined;
}

/**
 * Lets a role use the tables in the schema, and the tables that later migrations by the same owner add to it. The role can read and
 * write tasks; it can neither change tables and functions nor create any.
 *
 * @param client a connection of the schema's owner
 */
export async function grantSchema(client: PgQueryable, schema: string, role: string): Promise<void> {
  const [on, to] = [bullmq.quoteSchemaName(schema), `"${role.replaceAll('"', '""')}"`];
  const tables = `SELECT, INSERT, UPDATE, DELETE ON TABLES TO ${to}`;
  const sequences = `USAGE, SELECT, UPDATE ON SEQUENCES TO ${to}`;
  await client.query(`GRANT USAGE ON SCHEMA ${on} TO ${to}`);
  // BullMQ creates a sequence for each queue when several jobs are stored there for the first time, which the role may not.
  const { rows } = await client.query<{ name: string }>(
    `SELECT DISTINCT ${on}.job_id_seq_name(queue) AS name FROM (
       SELECT queue FROM ${on}.meta UNION SELECT queue FROM ${on}.job UNION SELECT unnest($1::text[])
     ) AS known`,
    [['default', WORKFLOW_QUEUE, CONTROL_QUEUE]],
  );
  for (const { name } of rows) await client.query(`CREATE SEQUENCE IF NOT EXISTS ${on}."${name}"`);
  for (const [kind, privileges] of [
    ['TABLES', tables],
    ['SEQUENCES', sequences],
  ] as const) {
    await client.query(`GRANT ${privileges.replace(`ON ${kind}`, `ON ALL ${kind} IN SCHEMA ${on}`)}`);
    await client.query(`ALTER DEFAULT PRIVILEGES IN SCHEMA ${on} GRANT ${privileges}`);
  }
  await client.query(`REVOKE INSERT, UPDATE, DELETE ON ${on}.migration FROM ${to}`);
}

async function currentRole(client: PgQueryable): Promise<string | undefined> {
  try {
    const { rows } = await client.query<{ role: string }>('SELECT current_user AS role');
    return rows[0]?.role;
  } catch {
    return undefined;
  }
}

function nameOf(error: unknown): string {
  return (error as { name?: string }).name ?? '';
}
