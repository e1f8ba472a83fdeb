import type { PgPool } from 'bullmq';
import type { Pool, PoolClient, PoolConfig } from 'pg';
import { bullmq } from '../bullmq-package.cjs';
import { ConfigurationError } from '../../../errors.js';
import type { PoolDeadline } from '../call-deadline.js';
import { cut, safePool, startHeartbeat, type Prepare } from './safe-pool.js';

/** The pools from which the PostgreSQL driver gets its connections. */
export interface PostgresPools {
  /** For queries; limited in size. The schema is the search path of its connections. */
  readonly queries: PgPool;
  /** For migrations, and for the connections that each worker and the message bus keep as long as they live. */
  readonly listeners: PgPool;
  readonly deadline: PoolDeadline;
  /**
   * Checks that connections for queries are left when workers and the message bus keep `count` connections.
   *
   * @throws ConfigurationError when none is left
   */
  checkListenerCount(count: number): void;
  /** Ends the connections that are idle. */
  dropIdle(): void;
  /** Ends the connections that were opened for this driver. */
  close(): Promise<void>;
}

/** The most connections for queries in one process, unless the option `max` of the pool sets another number. */
const POOL_SIZE = 10;
/** Milliseconds after which a query has failed: a connection that is open and silent is as good as broken. */
const QUERY_LIMIT = 10_000;
/** Milliseconds in which the server has to confirm that connections end. */
const CLOSE_LIMIT = 1_000;

/** Opens pools for this driver alone. */
export function openPools(
  PoolClass: typeof Pool,
  options: PoolConfig,
  schema: string,
  deadline: PoolDeadline,
): PostgresPools {
  const config: PoolConfig = {
    max: POOL_SIZE,
    // By itself, pg waits for a connection without a limit and turns keepalive off.
    connectionTimeoutMillis: 5_000,
    keepAlive: true,
    ...options,
    options: [options.options, `-c search_path=${bullmq.quoteSchemaName(schema)}`].filter(Boolean).join(' '),
  };
  const queries = makeEndable(new PoolClass({ query_timeout: QUERY_LIMIT, ...config }));
  // Each worker keeps a connection for as long as it lives, so a smaller limit would only make a worker wait for ever.
  const listeners = makeEndable(new PoolClass({ ...config, max: 1_000, idleTimeoutMillis: 1_000 }));
  return {
    queries: safePool(queries.pool, deadline),
    listeners: safePool(listeners.pool, deadline, startHeartbeat),
    deadline,
    checkListenerCount: () => undefined,
    dropIdle: () => queries.dropIdle(),
    close: async () => {
      await Promise.all([queries.end(), listeners.end()]);
    },
  };
}

/**
 * Uses the application's pool. Its connections have a search path of their own, so each connection is switched to the
 * schema while this driver uses it, and back before the application gets it again. That takes two short queries more
 * for each query.
 */
export function sharePool(pool: Pool, schema: string, deadline: PoolDeadline): PostgresPools {
  const switchSearchPath: Prepare = async (client) => {
    const { rows } = await client.query<{ before: string }>(
      `SELECT current_setting('search_path') AS before, set_config('search_path', $1, false)`,
      [bullmq.quoteSchemaName(schema)],
    );
    return async () => {
      await client.query(`SELECT set_config('search_path', $1, false)`, [rows[0]?.before]);
    };
  };
  const queries = safePool(pool, deadline, switchSearchPath);
  const listeners = safePool(pool, deadline, async (client) => {
    const switchBack = await switchSearchPath(client);
    const stopHeartbeat = await startHeartbeat(client);
    return async () => {
      await stopHeartbeat();
      await switchBack();
    };
  });
  return {
    queries,
    listeners,
    deadline,
    checkListenerCount: (count) => {
      const max = pool.options.max ?? POOL_SIZE;
      if (count < max) return;
      throw new ConfigurationError(
        `The pool of the application has ${max} connections, but the workers need ${count} as long as they run ` +
          `(one for each queue and one more), so none is left for queries. Give the pool max: ${count + POOL_SIZE}, or give connection a URL instead of a pool.`,
      );
    },
    // The idle connections belong to the application.
    dropIdle: () => undefined,
    close: async () => {
      queries.close();
      listeners.close();
    },
  };
}

/**
 * Makes a pool that ends even when its server is gone. By itself, a pool of pg waits for each connection in use, and
 * such a connection waits for its answer.
 */
function makeEndable(pool: Pool): { pool: Pool; dropIdle(): void; end(): Promise<void> } {
  const clients = new Set<PoolClient>();
  const idle = new Set<PoolClient>();
  pool.on('connect', (client) => clients.add(client));
  pool.on('acquire', (client) => idle.delete(client));
  pool.on('release', (_, client) => idle.add(client));
  pool.on('remove', (client) => {
    clients.delete(client);
    idle.delete(client);
  });
  return {
    pool,
    dropIdle: () => idle.forEach(cut),
    end: async () => {
      // Cuts the connections that are left by then: their server does not answer. The timer keeps no process alive.
      setTimeout(() => clients.forEach(cut), CLOSE_LIMIT).unref();
      await pool.end();
    },
  };
}
