import type { DatabaseConnection } from '../connection.js';
import type { Engine } from '../engine.js';
import { RequestServer } from '../request-server.js';
import { BullMQEngine, type BullMQEngineOptions } from './bullmq-engine.js';
import { warningOfUncheckedVersions } from './checked-versions.js';
import type { Driver } from './driver.js';
import { PackageLogger } from '../../package-logger.js';

/** The package that each kind of connection needs. */
const DRIVER_PACKAGES: Readonly<Record<DatabaseConnection['kind'], string>> = {
  redis: 'ioredis',
  postgres: 'pg',
  embedded: '@electric-sql/pglite',
};

export interface CreateBullMQEngineOptions extends Omit<BullMQEngineOptions, 'packages'> {
  readonly connection: DatabaseConnection;
  /** Redis key prefix, or PostgreSQL schema. */
  readonly prefix: string;
  /** Whether the process may create and change the tables in PostgreSQL. */
  readonly mayMigrate: boolean;
}

/**
 * Makes the engine for a connection. It loads only the driver that the connection needs, and connects later, in
 * `start()`. An unchecked version of BullMQ or of the driver's package is one warning in the log.
 *
 * @throws ConfigurationError when the driver's package is not installed, with the command that installs it
 */
export async function createBullMQEngine(options: CreateBullMQEngineOptions): Promise<Engine> {
  const requests = new RequestServer();
  const driver = await createDriver(options, requests);
  const packages = ['bullmq', DRIVER_PACKAGES[options.connection.kind]];
  const warning = warningOfUncheckedVersions(packages);
  if (warning !== undefined) new PackageLogger().warn(warning);
  return new BullMQEngine(driver, { ...options, packages }, requests);
}

async function createDriver(
  { connection, prefix, mayMigrate }: CreateBullMQEngineOptions,
  requests: RequestServer,
): Promise<Driver> {
  switch (connection.kind) {
    case 'redis': {
      const { openRedis } = await import('./redis/open-redis.js');
      return openRedis(connection, prefix);
    }
    case 'postgres': {
      const { openPostgres } = await import('./postgres/open-postgres.js');
      return openPostgres(connection, prefix, mayMigrate);
    }
    case 'embedded': {
      const { openEmbeddedDriver } = await import('./embedded/open-embedded-driver.js');
      return openEmbeddedDriver(connection.folder, prefix, (request) => requests.handle(request));
    }
  }
}
