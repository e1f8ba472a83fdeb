import type { PgQueryable } from 'bullmq';
import type { ForeignWorker } from '../../ports/foreign-workers-port.js';

/** PostgreSQL cuts the names of connections. */
const LONGEST_NAME = 63;

/**
 * The connections of BullMQ's own workers, which have the name of the queue, and `:w:<name>` behind it when the worker has a name.
 * Another program may have the name of a queue too, so the last statement counts: a worker has just named its connection, or listens.
 * The connections of this package have the name that the address of the server gives to them, as this one has.
 */
const CONNECTIONS = `
SELECT application_name AS name, host(client_addr) AS host, client_port::text AS port
  FROM pg_stat_activity
 WHERE datname = current_database()
   AND application_name <> current_setting('application_name')
   AND (query LIKE '%LISTEN bullmq_jobs%' OR query LIKE '%set_config(''application_name''%')`;

/** Other schemas of this database that have the tables of BullMQ, and that this role may read. */
const OTHER_SCHEMAS = `
SELECT quote_ident(n.nspname) AS quoted, n.nspname AS name
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relname = 'job_dependency' AND c.relkind = 'r' AND n.nspname <> $1
   AND has_schema_privilege(n.oid, 'USAGE')
   AND EXISTS (SELECT 1 FROM pg_class m WHERE m.relnamespace = n.oid AND m.relname = 'meta' AND has_table_privilege(m.oid, 'SELECT'))
 ORDER BY n.nspname
 LIMIT 20`;

interface ConnectionRow {
  readonly name: string;
  readonly host: string | null;
  readonly port: string | null;
}

/**
 * The workers of BullMQ that are connected and not of this package. Not every role may read the connections: see `connections` in
 * diagnose-postgres.ts.
 */
export async function foreignWorkersOnPostgres(
  client: PgQueryable,
  schema: string,
  queues: readonly string[],
): Promise<ForeignWorker[]> {
  const { rows } = await client.query<ConnectionRow>(CONNECTIONS);
  const found = rows.flatMap(({ name, host, port }) => {
    const queue = queues.find((each) => cut(each) === name || name.startsWith(`${each}:w:`));
    if (queue === undefined) return [];
    const given = name.slice(`${queue}:w:`.length);
    return [
      { queue, address: host === null ? undefined : `${host}:${port ?? ''}`, name: given === '' ? undefined : given },
    ];
  });
  if (found.length === 0) return [];
  const others = await schemasOf(client, schema, [...new Set(found.map(({ queue }) => queue))]);
  return found.map((worker) => ({ ...worker, otherPlace: others.get(worker.queue) }));
}

/** Another schema for each queue that has a queue of this name. */
async function schemasOf(client: PgQueryable, schema: string, queues: readonly string[]): Promise<Map<string, string>> {
  const { rows } = await client.query<{ quoted: string; name: string }>(OTHER_SCHEMAS, [schema]);
  const found = new Map<string, string>();
  for (const { quoted, name } of rows) {
    const text = `SELECT DISTINCT queue FROM ${quoted}.meta WHERE queue = ANY($1::text[])`;
    const known = await client.query<{ queue: string }>(text, [queues]);
    for (const { queue } of known.rows) if (!found.has(queue)) found.set(queue, `the schema "${name}"`);
  }
  return found;
}

function cut(name: string): string {
  return Buffer.from(name).subarray(0, LONGEST_NAME).toString();
}
