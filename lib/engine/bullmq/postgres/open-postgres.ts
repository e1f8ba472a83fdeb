import type { PgPool } from 'bullmq';
import type { Pool, PoolConfig } from 'pg';
import { withoutPassword, type Connection } from '../../connection.js';
import { PoolDeadline } from '../call-deadline.js';
import { loadOptionalPackage } from '../load-optional-package.js';
import { ServerClock } from '../server-clock.js';
import { PostgresBus } from './postgres-bus.js';
import { openPools, sharePool, type PostgresPools } from './postgres-pools.js';
import { isOutage, PostgresDriver } from './postgres-driver.js';

type PostgresConnection = Extract<Connection, { kind: 'postgres' }>;

/**
 * Makes the driver for PostgreSQL, with pools of its own unless the application gives one. The pools connect when the
 * driver is used for the first time.
 *
 * @throws ConfigurationError when pg is not installed
 */
export async function openPostgres(
  { url, options, pool }: PostgresConnection,
  schema: string,
): Promise<PostgresDriver> {
  const deadline = new PoolDeadline();
  if (pool)
    return build(
      'PostgreSQL (the pool of the application)',
      sharePool(pool as unknown as Pool, schema, deadline),
      schema,
    );
  const pg = await loadOptionalPackage('pg', 'A postgres:// connection', () => import('pg'));
  const { Pool } = pg.default ?? pg;
  const config: PoolConfig = url === undefined ? (options as PoolConfig) : { connectionString: url };
  return build(addressOf(config), openPools(Pool, config, schema, deadline), schema);
}

function addressOf({ connectionString, host = 'localhost', port = 5432 }: PoolConfig): string {
  return `PostgreSQL at ${connectionString === undefined ? `${host}:${port}` : withoutPassword(connectionString)}`;
}

function build(address: string, pools: PostgresPools, schema: string): PostgresDriver {
  const bus = new PostgresBus(schema, pools);
  const close = async () => {
    bus.close();
    await pools.close();
  };
  const clock = new ServerClock({ address, read: () => readTime(pools.queries), isOutage });
  return new PostgresDriver(address, { ...pools, close }, schema, bus, clock);
}

async function readTime(pool: PgPool): Promise<number> {
  // As text, because an application may have set other parsers for the types of numbers.
  const { rows } = await pool.query<{ now: string }>(
    'SELECT (extract(epoch FROM clock_timestamp()) * 1000)::text AS now',
  );
  return Number(rows[0]?.now);
}
