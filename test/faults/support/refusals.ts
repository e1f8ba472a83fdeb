import { mkdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import pg from 'pg';
import { until } from '../../support/until.js';
import type { Server } from './world.js';

/** Ends a refusal. */
export type Allow = () => Promise<void>;

export type RedisRefusal = 'NOREPLICAS' | 'OOM' | 'NOPERM' | 'READONLY' | 'BUSY' | 'MISCONF';

/**
 * A Redis that answers and takes no writes: too few replicas, no memory left, rights that an administrator has taken away, a primary that
 * became a replica, a script that does not end, or a disk that takes no snapshot.
 */
export async function refuseRedisWrites(server: Server, kind: RedisRefusal): Promise<Allow> {
  const admin = new Redis(server.url);
  if (kind === 'READONLY') {
    await admin.replicaof('127.0.0.1', 1);
    return async () => {
      await admin.replicaof('NO', 'ONE');
      admin.disconnect();
    };
  }
  if (kind === 'BUSY') return blockByScript(server, admin);
  if (kind === 'MISCONF') return refuseSnapshots(admin);
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

/** Another client runs a script without an end: every command is answered by BUSY. */
async function blockByScript(server: Server, admin: Redis): Promise<Allow> {
  await admin.config('SET', 'lua-time-limit', '50');
  const other = new Redis(server.url);
  const script = other.eval('while true do end', 0).catch(() => undefined);
  await until(() =>
    admin.ping().then(
      () => false,
      ({ message }: Error) => message.startsWith('BUSY'),
    ),
  );
  return async () => {
    await admin.script('KILL');
    await script;
    other.disconnect();
    admin.disconnect();
  };
}

/** The last snapshot could not be written: a folder has its name. */
async function refuseSnapshots(admin: Redis): Promise<Allow> {
  const [, folder = ''] = await admin.config('GET', 'dir');
  const [, file = ''] = await admin.config('GET', 'dbfilename');
  const snapshot = async (status: 'ok' | 'err') => {
    await admin.bgsave();
    await until(async () => {
      const info = await admin.info('persistence');
      return info.includes('rdb_bgsave_in_progress:0') && info.includes(`rdb_last_bgsave_status:${status}`);
    });
  };
  mkdirSync(join(folder, file));
  await admin.config('SET', 'save', '3600 1');
  await snapshot('err');
  return async () => {
    rmdirSync(join(folder, file));
    await snapshot('ok');
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
