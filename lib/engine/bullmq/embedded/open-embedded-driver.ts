import type { PgPool } from 'bullmq';
import { openEmbeddedDatabase, type EmbeddedDatabase } from './embedded-database.js';
import type { AnswerRequest } from '../../ports/request-port.js';
import { PoolDeadline } from '../call-deadline.js';
import type { Finding } from '../../ports/diagnosis-port.js';
import { diagnoseEmbedded } from './diagnose-embedded.js';
import { OWN_CLOCK } from '../clock.js';
import { LocalBus } from './local-bus.js';
import { PostgresDriver } from '../postgres/postgres-driver.js';
import type { Driver } from '../driver.js';
import { PackageLogger } from '../../../package-logger.js';

/**
 * Makes the driver for a PGlite inside this process, behind the interface of a pool. The first query opens it.
 *
 * @param answer answers the requests of other processes, which cannot open the same folder
 */
export function openEmbeddedDriver(folder: string | undefined, schema: string, answer: AnswerRequest): Driver {
  let opening: Promise<EmbeddedDatabase> | undefined;
  let closed = false;
  const open = () => {
    // The words of pg. By them BullMQ recognises a query that comes during shutdown, and does not report it as an
    // error.
    if (closed && !opening) return Promise.reject(new Error('Cannot use a pool after calling end on the pool'));
    return (opening ??= openEmbeddedDatabase({
      ...(folder !== undefined && { folder }),
      schema,
      answer,
      logger: new PackageLogger(),
    }));
  };
  const pool: PgPool = {
    query: async (text, params) => (await open()).pool.query(text, params),
    connect: async () => (await open()).pool.connect(),
    end: async () => undefined,
    // There is no connection that could break, so there is no error to report.
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
  class EmbeddedDriver extends PostgresDriver {
    /** No other process can connect. */
    override async foreignWorkers(): Promise<[]> {
      return [];
    }

    override diagnose(): Promise<Finding[]> {
      return diagnoseEmbedded(pool, folder, address);
    }
  }
  return new EmbeddedDriver(
    address,
    {
      queries: pool,
      listeners: Object.assign(pool, { isDeaf: false }),
      deadline: new PoolDeadline(),
      connect: () => pool.connect(),
      load: async () => undefined,
      reserveListeners: () => undefined,
      dropIdle: () => undefined,
      close,
    },
    schema,
    new LocalBus(),
    OWN_CLOCK,
    false,
  );
}
