import { Redis } from 'ioredis';
import pg from 'pg';
import { until } from '../../support/until.js';
import type { Server } from './world.js';

/** Ends a refusal. */
export type Allow = () => Promise<void>;

/** A Redis that answers and takes no writes: too few replicas, no memory left, or rights that an administrator has taken away. */
export async function refuseRedisWrites(server: Server, kind: 'NOREPLICAS' | 'OOM' | 'NOPERM'): Promise<Allow> {
  const admin = new Redis(server.url);
  if (kind === 'NOPERM') {
    await admin.call('ACL', 'SETUSER', 'default', '-@scripting');
    return async () => {
      await admin.call('ACL', 'SETUSER', 'default', '+@all');
      admin.disconnect();
    };
  }
  const [option, refuse, allow] =
    kind === 'NOREPLICAS' ? (['min-replicas-to-write', '1', '0'] as const) : (['maxmemory', '1', '0'] as const);
  await admin.config('SET', option, refuse);
  return async () => {
    await admin.config('SET', option, allow);
    admin.disconnect();
  };
}

/** A PostgreSQL that answers and takes no writes, as a standby does. */
export async function makePostgresReadOnly(server: Server): Promise<Allow> {
  const admin = new pg.Client(server.url);
  await admin.connect();
  const set = async (value: 'on' | 'off') => {
    await admin.query('SET default_transaction_read_only = off');
    await admin.query(`ALTER SYSTEM SET default_transaction_read_only = ${value}`);
    await admin.query('RESET default_transaction_read_only');
    await admin.query('SELECT pg_reload_conf()');
    // Each process of the server reads the setting at a moment of its own. This is one of them.
    await until(
      async () =>
        (await admin.query('SHOW default_transaction_read_only')).rows[0].default_transaction_read_only === value,
    );
  };
  await set('on');
  return async () => {
    await set('off');
    await admin.end();
  };
}

/** Another client locks the table of the jobs. Statements wait for the lock until their `lock_timeout`. */
export async function lockPostgresTables(server: Server, schema: string): Promise<Allow> {
  const admin = new pg.Client(server.url);
  await admin.connect();
  await admin.query(`BEGIN; LOCK TABLE ${schema}.job IN ACCESS EXCLUSIVE MODE`);
  return async () => {
    await admin.query('COMMIT');
    await admin.end();
  };
}

/** Every later connection of the database gets these settings. */
export async function setForDatabase(server: Server, settings: Readonly<Record<string, string>>): Promise<void> {
  const admin = new pg.Client(server.url);
  await admin.connect();
  for (const [name, value] of Object.entries(settings)) {
    await admin.query(
      `ALTER DATABASE ${admin.escapeIdentifier(admin.database ?? '')} SET ${name} = ${admin.escapeLiteral(value)}`,
    );
  }
  await admin.end();
}
