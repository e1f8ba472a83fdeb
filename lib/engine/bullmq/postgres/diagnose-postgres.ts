import type { PgQueryable } from 'bullmq';
import { bareMessage } from '../../bare-error.js';
import { fine, finding, fullness, type Finding } from '../../ports/diagnosis-port.js';
import type { IndexState } from './delayed-index.js';
import { lacksRight } from './outage.js';
import type { PostgresTables } from './postgres-tables.js';
import type { SchemaFunctions } from './schema-functions.js';

/** Connections that one process opens: its pool, and one that listens. */
const CONNECTIONS_OF_A_PROCESS = 11;

const SETTINGS = `
SELECT current_setting('server_version') AS version,
       current_setting('fsync') AS fsync,
       current_setting('synchronous_commit') AS "synchronousCommit",
       current_setting('max_connections')::int::text AS "mostConnections",
       current_setting('superuser_reserved_connections')::int::text AS reserved,
       pg_is_in_recovery()::text AS "isReplica",
       current_user::text AS role`;

const CONNECTIONS = `
SELECT count(*)::text AS connections FROM pg_stat_activity WHERE backend_type IS NULL OR backend_type = 'client backend'`;

const PRIVILEGES = `
SELECT has_schema_privilege($1, 'USAGE')::text AS usage,
       (SELECT coalesce(string_agg(c.relname, ', '), '')
          FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND c.relname <> 'migration'
           AND NOT (has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT')
                AND has_table_privilege(c.oid, 'UPDATE') AND has_table_privilege(c.oid, 'DELETE'))) AS closed`;

interface Settings {
  readonly version: string;
  readonly fsync: string;
  readonly synchronousCommit: string;
  readonly mostConnections: string;
  readonly reserved: string;
  readonly isReplica: string;
  readonly role: string;
}

interface Privileges {
  readonly usage: string;
  readonly closed: string;
}

/** Checks a PostgreSQL server, the tables in `schema`, and what the role may do there. */
export async function diagnosePostgres(
  client: PgQueryable,
  schema: string,
  address: string,
  tables: Pick<PostgresTables, 'version' | 'indexState'>,
  functions: Pick<SchemaFunctions, 'missing'>,
): Promise<Finding[]> {
  const start = performance.now();
  await client.query('SELECT 1');
  const took = Math.max(1, Math.round(performance.now() - start));
  const settings = (await client.query<Settings>(SETTINGS)).rows[0] as Settings;
  const { installed, latest } = await tables.version();
  const index = installed === 0 ? 'missing' : await tables.indexState();
  const hasFunctions = installed > 0 && (await functions.missing()).length === 0;
  const privileges = (await client.query<Privileges>(PRIVILEGES, [schema])).rows[0] as Privileges;
  return [
    fine('engine', `PostgreSQL ${settings.version}: ${address} answers in ${took} ms`),
    role(settings),
    migrations(schema, { installed, latest, index, hasFunctions }),
    rights(schema, settings.role, privileges),
    persistence(settings),
    await connections(client, settings),
  ];
}

function role({ isReplica }: Settings): Finding {
  if (isReplica !== 'true' && isReplica !== 't') return fine('role', 'The server takes writes.');
  return finding(
    'role',
    'fail',
    'The server is a replica, which refuses writes.',
    'Give the address of the primary, or several hosts with target_session_attrs=read-write.',
  );
}

interface SchemaState {
  readonly installed: number;
  readonly latest: number;
  readonly index: IndexState;
  readonly hasFunctions: boolean;
}

function migrations(schema: string, { installed, latest, index, hasFunctions }: SchemaState): Finding {
  if (installed >= latest && (index === 'missing' || index === 'broken')) {
    return finding(
      'migrations',
      'warn',
      `The schema "${schema}" is up to date (version ${installed}), but lacks the index of delayed tasks: where very many tasks are due at ` +
        'the same time, pages of them take long.',
      `npx nestjs-task-queue migrate --prefix ${schema} builds it. Workers and callers go on meanwhile.`,
    );
  }
  if (installed >= latest && !hasFunctions) {
    return finding(
      'migrations',
      'warn',
      `The schema "${schema}" is up to date (version ${installed}), but lacks functions of this version of the package: fewer tasks run ` +
        'in a second, and calls in transactions may be refused.',
      `npx nestjs-task-queue migrate --prefix ${schema} creates them. Then start workers and callers again.`,
    );
  }
  if (installed >= latest) return fine('migrations', `The schema "${schema}" is up to date (version ${installed}).`);
  return finding(
    'migrations',
    'fail',
    installed === 0
      ? `The schema "${schema}" has no tables.`
      : `The schema "${schema}" is at version ${installed}, and this version of the package needs ${latest}.`,
    `npx nestjs-task-queue migrate --prefix ${schema} --dry-run, then without --dry-run; or correct --prefix.`,
  );
}

function rights(schema: string, name: string, { usage, closed }: Privileges): Finding {
  const cure = `npx nestjs-task-queue migrate --url postgres://<owner>@<host>/<database> --prefix ${schema} --grant ${name}`;
  if (!isTrue(usage)) {
    return finding('privileges', 'fail', `The role ${name} may not use the schema "${schema}".`, cure);
  }
  if (closed !== '')
    return finding('privileges', 'fail', `The role ${name} may not change the tables ${closed}.`, cure);
  return fine('privileges', `The role ${name} may use the tables.`);
}

function persistence({ fsync, synchronousCommit }: Settings): Finding {
  if (fsync === 'off') {
    return finding(
      'persistence',
      'warn',
      'fsync is off: a crash of the host destroys the database.',
      'Set fsync = on in postgresql.conf.',
    );
  }
  if (synchronousCommit === 'off') {
    return finding(
      'persistence',
      'warn',
      'synchronous_commit is off: a crash of the server loses the tasks of its last moments.',
      `ALTER ROLE … SET synchronous_commit = on. Leave it off where tasks may get lost.`,
    );
  }
  return fine('persistence', 'Each commit is written to the disk.');
}

/** Nothing is wrong without this right, but neither full servers nor the workers of BullMQ that take from the queues are seen. */
async function connections(client: PgQueryable, settings: Settings): Promise<Finding> {
  try {
    const { rows } = await client.query<{ connections: string }>(CONNECTIONS);
    return room(Number(rows[0]?.connections), settings);
  } catch (error) {
    if (!lacksRight(error)) throw error;
    return finding(
      'connections',
      'warn',
      `The connections of the server, and workers of BullMQ that take from the queues of this package, cannot be seen: ${bareMessage(error)}`,
      `Let the role read them: GRANT SELECT ON pg_stat_activity TO ${settings.role}`,
    );
  }
}

function room(used: number, { mostConnections, reserved }: Settings): Finding {
  const most = Number(mostConnections) - Number(reserved);
  const cure =
    'Raise max_connections, put a pooler in front of the server, or lower max of the pool (connection: { connectionString, max }).';
  const found = fullness('connections', used, most, `${used} connections of ${most}.`, cure);
  if (found.level !== 'ok' || most - used >= CONNECTIONS_OF_A_PROCESS) return found;
  return finding(
    'connections',
    'warn',
    `${used} connections of ${most}: another process needs up to ${CONNECTIONS_OF_A_PROCESS}.`,
    cure,
  );
}

function isTrue(text: string): boolean {
  return text === 'true' || text === 't';
}
