import { Logger } from '@nestjs/common';
import type { PgPool } from 'bullmq';
import { openEmbeddedDatabase, type EmbeddedDatabase } from './embedded-database.js';
import { PoolDeadline } from '../call-deadline.js';
import { LocalBus } from './local-bus.js';
import { PostgresDriver } from '../postgres/postgres-driver.js';
import type { Driver } from '../driver.js';

/** A store in this process: PGlite behind the interface of a pool, opened by the first who needs it. */
export function openEmbeddedDriver(folder: string | undefined, schema: string): Driver {
  let opening: Promise<EmbeddedDatabase> | undefined;
  let closed = false;
  const open = () => {
    // pg's words, by which BullMQ tells a late query from a fault.
    if (closed && !opening) return Promise.reject(new Error('Cannot use a pool after calling end on the pool'));
    return (opening ??= openEmbeddedDatabase({
      ...(folder !== undefined && { folder }),
      schema,
      logger: new Logger('TaskQueue'),
    }));
  };
  const pool: PgPool = {
    query: async (text, params) => (await open()).pool.query(text, params),
    connect: async () => (await open()).pool.connect(),
    end: async () => undefined,
    // Nothing in this process can lose the connection to itself.
    on() {
      return this;
    },
    removeAllListeners() {
      return this;
    },
  };
  const close = async () => {
    closed = true;
    const database = await opening?.catch(() => undefined);
    await database?.close();
  };
  const address = folder === undefined ? 'The embedded engine (in memory)' : `The embedded engine in ${folder}`;
  return new PostgresDriver(
    address,
    {
      queries: pool,
      listeners: pool,
      deadline: new PoolDeadline(),
      checkHeld: () => undefined,
      dropIdle: () => undefined,
      close,
    },
    schema,
    new LocalBus(),
  );
}
