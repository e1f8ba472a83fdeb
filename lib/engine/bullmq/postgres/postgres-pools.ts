import type { PgPool, PgPoolClient } from 'bullmq';
import type { Pool, PoolClient, PoolConfig } from 'pg';
import { ConfigurationError } from '../../../errors.js';
import type { PoolDeadline } from '../call-deadline.js';
import { Listeners, type ListenerPool } from './listeners.js';
import { PollingListeners } from './polling-listeners.js';
import { ownTypes } from './own-types.js';
import { PortableStatements, type TypesOf } from './portable-statements.js';
import { cut, safePool, startHeartbeat } from './safe-pool.js';

/** The pools from which the PostgreSQL driver gets its connections. */
export interface PostgresPools {
  /** For queries; limited in size. */
  readonly queries: PgPool;
  /** For the clients on which each worker and the message bus listen as long as they live. All of them share one connection. */
  readonly listeners: ListenerPool;
  readonly deadline: PoolDeadline;
  /** Leases a connection without a limit for the time of queries, for migrations. */
  connect(): Promise<PgPoolClient>;
  /** Prepares the pools for the tables, once these exist. */
  load(): Promise<void>;
  /**
   * Tells the pools which queues the workers of this process consume.
   *
   * @throws ConfigurationError when no connections for queries would be left
   */
  reserveListeners(queues: ReadonlySet<string>): void;
  /** Ends the connections that are idle. */
  dropIdle(): void;
  /** Ends the connections that were opened for this driver. */
  close(): Promise<void>;
}

export interface PoolsDeps {
  readonly schema: string;
  readonly deadline: PoolDeadline;
  /** Called once, when LISTEN does not work on the connections. */
  readonly onDeaf: () => void;
}

/** The most connections for queries in one process, unless the option `max` of the pool sets another number. */
const POOL_SIZE = 10;
/** Milliseconds after which a query has failed: a connection that is open and silent is as good as broken. */
const QUERY_LIMIT = 10_000;
/** Milliseconds in which the server has to confirm that connections end. */
const CLOSE_LIMIT = 1_000;

/**
 * Opens pools for this driver alone.
 *
 * @param directUrl leads around a pooler on which LISTEN does not work
 */
export function openPools(
  PoolClass: typeof Pool,
  options: PoolConfig,
  directUrl: string | undefined,
  deps: PoolsDeps,
): PostgresPools {
  const config: PoolConfig = {
    max: POOL_SIZE,
    // By itself, pg waits for a connection without a limit and turns keepalive off.
    connectionTimeoutMillis: 5_000,
    keepAlive: true,
    query_timeout: QUERY_LIMIT,
    ...options,
    // In the binary format pg reads most numbers wrongly.
    ...{ binary: false, types: ownTypes },
  };
  const queries = makeEndable(new PoolClass(config));
  const listeners = makeEndable(
    new PoolClass({
      ...config,
      ...(directUrl !== undefined && { connectionString: directUrl }),
      // One listens, one may migrate or build an index meanwhile, and one finds out whether LISTEN works.
      max: 4,
      idleTimeoutMillis: 1_000,
      // A migration takes as long as it takes, and a heartbeat finds out whether a connection that listens is alive.
      query_timeout: undefined,
    }),
  );
  return {
    ...wrap(queries.pool, listeners.pool, deps, { typesOf: 'client' }),
    dropIdle: () => queries.dropIdle(),
    close: async () => {
      await Promise.all([queries.end(), listeners.end()]);
    },
  };
}

/** Uses the application's pool. */
export function sharePool(pool: Pool, deps: PoolsDeps): PostgresPools {
  // By itself, pg has no limits.
  const limit = pool.options.query_timeout ?? QUERY_LIMIT;
  return wrap(pool, pool, deps, { typesOf: 'statement', limit }, () => {
    const max = pool.options.max ?? POOL_SIZE;
    if (max > 1) return;
    throw new ConfigurationError(
      `The pool of the application has ${max} connection, on which the process listens as long as it runs, so none is left for ` +
        `queries. Give the pool max: ${1 + POOL_SIZE}, or give connection a URL instead of a pool.`,
    );
  });
}

/** The interface of the driver for pools of pg. The application's pool is left as it is: `close` only lets go of it. */
function wrap(
  queryPool: Pool,
  listenerPool: Pool,
  { schema, deadline, onDeaf }: PoolsDeps,
  { typesOf, limit }: { readonly typesOf: TypesOf; readonly limit?: number },
  checkRoom: () => void = () => undefined,
): PostgresPools {
  const statements = new PortableStatements(schema, typesOf);
  const onQuery = (text: string) => polling.statementRan(text);
  const queries = safePool({ pool: queryPool, deadline, statements, limit, onQuery });
  const sessions = safePool({ pool: listenerPool, deadline, statements, limit, onLease: startHeartbeat });
  // A heartbeat would wait behind a statement that takes long, and then end the connection.
  const unlimited = safePool({ pool: listenerPool, deadline, statements, limit });
  let consumed: ReadonlySet<string> = new Set();
  const polling = new PollingListeners(queries, () => consumed);
  const listeners = new Listeners(sessions, polling, onDeaf, checkRoom);
  return {
    queries,
    listeners,
    deadline,
    connect: () => unlimited.connect(),
    load: () => statements.load(queries),
    reserveListeners: (queues) => (consumed = queues),
    dropIdle: () => undefined,
    close: async () => {
      listeners.close();
      queries.close();
      sessions.close();
      unlimited.close();
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
