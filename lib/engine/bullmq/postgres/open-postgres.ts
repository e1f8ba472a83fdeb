import type { PgPool } from 'bullmq';
import type { Pool, PoolConfig } from 'pg';
import { ConfigurationError } from '../../../errors.js';
import { withoutPassword, type Connection } from '../../connection.js';
import { hostAndPort } from '../../describe-connection.js';
import { PoolDeadline } from '../call-deadline.js';
import { loadOptionalPackage } from '../load-optional-package.js';
import { ServerClock } from '../server-clock.js';
import { PostgresBus } from './postgres-bus.js';
import { openPools, sharePool, type PostgresPools } from './postgres-pools.js';
import { isOutage } from './outage.js';
import { PostgresDriver } from './postgres-driver.js';
import { PackageLogger } from '../../../package-logger.js';

type PostgresConnection = Extract<Connection, { kind: 'postgres' }>;

/**
 * Makes the driver for PostgreSQL, with pools of its own unless the application gives one. The pools connect when the
 * driver is used for the first time.
 *
 * @param mayMigrate whether the driver may create and change the tables
 * @throws ConfigurationError when pg is not installed, or asks for answers in the binary format
 */
export async function openPostgres(
  { url, options, pool, directUrl }: PostgresConnection,
  schema: string,
  mayMigrate = true,
): Promise<PostgresDriver> {
  const deadline = new PoolDeadline();
  if (pool) {
    const address = 'PostgreSQL (the pool of the application)';
    checkFormat((pool as unknown as Pool).options as { binary?: boolean }, 'The pool of the application');
    const onDeaf = () => warnOfPolling(address, 'connection options with directUrl instead of a pool');
    return build(address, sharePool(pool as unknown as Pool, { schema, deadline, onDeaf }), schema, mayMigrate);
  }
  const pg = await loadOptionalPackage('pg', 'A postgres:// connection', () => import('pg'));
  const { Pool, defaults } = pg.default ?? pg;
  checkFormat(defaults, 'pg.defaults');
  const config: PoolConfig = url === undefined ? (options as PoolConfig) : { connectionString: url };
  const address = addressOf(config);
  const onDeaf = () => warnOfPolling(address, 'TASK_QUEUE_DIRECT_URL or connection: { connectionString, directUrl }');
  return build(address, openPools(Pool, config, directUrl, { schema, deadline, onDeaf }), schema, mayMigrate);
}

/**
 * @throws ConfigurationError when a client would ask for answers in the binary format, which pg reads as text
 */
function checkFormat({ binary }: { readonly binary?: boolean }, owner: string): void {
  if (!binary) return;
  throw new ConfigurationError(
    `${owner} has binary: true. In this format pg reads most numbers wrongly, so tasks would never run. Remove the option, ` +
      'or give connection a URL.',
  );
}

function warnOfPolling(address: string, cure: string): void {
  new PackageLogger().warn(
    `${address}: the connections lead through a pooler in transaction mode, on which LISTEN does not work. So workers ask ` +
      'for tasks four times a second, and callers for results once a second. To start tasks and get results at once, give a ' +
      `URL that leads to the server directly, or to a pooler in session mode: ${cure}.`,
  );
}

function addressOf({ connectionString, host = 'localhost', port = 5432 }: PoolConfig): string {
  return `PostgreSQL at ${connectionString === undefined ? hostAndPort({ host, port }) : withoutPassword(connectionString)}`;
}

function build(address: string, pools: PostgresPools, schema: string, mayMigrate: boolean): PostgresDriver {
  const bus = new PostgresBus(schema, pools);
  const close = async () => {
    bus.close();
    await pools.close();
  };
  const clock = new ServerClock({ address, read: () => readTime(pools.queries), isOutage });
  return new PostgresDriver(address, { ...pools, close }, schema, bus, clock, true, mayMigrate);
}

async function readTime(pool: PgPool): Promise<number> {
  // As text, because an application may have set other parsers for the types of numbers.
  const { rows } = await pool.query<{ now: string }>(
    'SELECT (extract(epoch FROM clock_timestamp()) * 1000)::text AS now',
  );
  return Number(rows[0]?.now);
}
