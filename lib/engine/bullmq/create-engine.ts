import type { Connection } from '../connection.js';
import type { Engine } from '../engine.js';
import { BullMQEngine, type BullMQEngineOptions } from './bullmq-engine.js';
import type { Driver } from './driver.js';

export interface CreateEngineOptions extends BullMQEngineOptions {
  readonly connection: Connection;
  /** Redis key prefix, or PostgreSQL schema. */
  readonly prefix: string;
}

/**
 * The engine for a connection. Only the driver it needs is loaded, and nothing is connected yet.
 *
 * @throws ConfigurationError when the driver is not installed, with the command that installs it
 */
export async function createEngine(options: CreateEngineOptions): Promise<Engine> {
  return new BullMQEngine(await createDriver(options.connection, options.prefix), options);
}

async function createDriver(connection: Connection, prefix: string): Promise<Driver> {
  switch (connection.kind) {
    case 'redis': {
      const { openRedis } = await import('./redis/open-redis.js');
      return openRedis(connection, prefix);
    }
    case 'postgres': {
      const { openPostgres } = await import('./postgres/open-postgres.js');
      return openPostgres(connection, prefix);
    }
    case 'embedded': {
      const { openEmbeddedDriver } = await import('./embedded/open-embedded-driver.js');
      return openEmbeddedDriver(connection.folder, prefix);
    }
  }
}
