import type { PgPool } from 'bullmq';
import type { Pool, PoolClient, PoolConfig } from 'pg';
import { bullmq } from '../bullmq-package.js';
import { ConfigurationError } from '../../../errors.js';
import type { PoolDeadline } from '../call-deadline.js';
import { cut, safePool, heartbeat, type Prepare } from './safe-pool.js';

/** Where a PostgreSQL store gets its connections. */
export interface PostgresPools {
  /** For queries; bounded. Its connections have the schema as their search path. */
  readonly queries: PgPool;
  /** For the connections that each worker and the message bus hold as long as they live, and for migrations. */
  readonly listeners: PgPool;
  readonly deadline: PoolDeadline;
  /** @throws ConfigurationError when so many that are held for long leave none for queries */
  checkHeld(count: number): void;
  /** Ends connections that nobody uses at the moment. */
  dropIdle(): void;
  /** Ends what was opened for this store. */
  close(): Promise<void>;
}

/** Connections for queries in one process, unless the pool options say otherwise. */
const POOL_SIZE = 10;
/** A query that takes longer has failed: a connection that is open and silent is as good as cut. */
const QUERY_LIMIT = 10_000;
/** How long connections may take to say goodbye. */
const CLOSE_LIMIT = 1_000;

/** Pools of our own. */
export function openPools(
  PoolClass: typeof Pool,
  options: PoolConfig,
  schema: string,
  deadline: PoolDeadline,
): PostgresPools {
  const config: PoolConfig = {
    max: POOL_SIZE,
    connectionTimeoutMillis: 5_000,
    keepAlive: true,
    ...options,
    options: [options.options, `-c search_path=${bullmq.quoteSchemaName(schema)}`].filter(Boolean).join(' '),
  };
  const queries = endable(new PoolClass({ query_timeout: QUERY_LIMIT, ...config }));
  // As many as there are workers, each for as long as it lives: a bound would only make one of them wait for ever.
  const listeners = endable(new PoolClass({ ...config, max: 1_000, idleTimeoutMillis: 1_000 }));
  return {
    queries: safePool(queries.pool, deadline),
    listeners: safePool(listeners.pool, deadline, heartbeat),
    deadline,
    checkHeld: () => undefined,
    dropIdle: () => queries.dropIdle(),
    close: async () => {
      await Promise.all([queries.end(), listeners.end()]);
    },
  };
}

/**
 * The application's pool, whose connections have a search path of their own: each is switched to ours while we use it,
 * and back before the application gets it again. That costs two short queries more for each of ours.
 */
export function sharePool(pool: Pool, schema: string, deadline: PoolDeadline): PostgresPools {
  const switched: Prepare = async (client) => {
    const { rows } = await client.query<{ before: string }>(
      `SELECT current_setting('search_path') AS before, set_config('search_path', $1, false)`,
      [bullmq.quoteSchemaName(schema)],
    );
    return async () => {
      await client.query(`SELECT set_config('search_path', $1, false)`, [rows[0]?.before]);
    };
  };
  const queries = safePool(pool, deadline, switched);
  const listeners = safePool(pool, deadline, async (client) => {
    const switchBack = await switched(client);
    const stop = await heartbeat(client);
    return async () => {
      await stop();
      await switchBack();
    };
  });
  return {
    queries,
    listeners,
    deadline,
    checkHeld: (count) => {
      const max = pool.options.max ?? POOL_SIZE;
      if (count < max) return;
      throw new ConfigurationError(
        `The pool of the application has ${max} connections, and ${count} would be held as long as the workers run ` +
          `(one for each queue and one more). Give it max: ${count + POOL_SIZE}, or give connection a URL instead of a pool.`,
      );
    },
    // They are the application's.
    dropIdle: () => undefined,
    close: async () => {
      queries.close();
      listeners.close();
    },
  };
}

/** A pool that ends also when its server is gone: a connection in use would be waited for, and that for its answer. */
function endable(pool: Pool): { pool: Pool; dropIdle(): void; end(): Promise<void> } {
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
      // By then all have said goodbye, unless nobody answers any more. Nothing waits for this but those.
      setTimeout(() => clients.forEach(cut), CLOSE_LIMIT).unref();
      await pool.end();
    },
  };
}
