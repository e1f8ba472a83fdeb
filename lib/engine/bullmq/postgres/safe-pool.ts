import type { PgPool } from 'bullmq';
import type { Socket } from 'node:net';
import type { Pool, PoolClient } from 'pg';
import { TooLateError, type PoolDeadline } from '../call-deadline.js';
import { leaseWithin } from '../../lease-within.js';
import { resetSocket } from '../reset-socket.js';
import { cancelStatement } from './cancel-statement.js';
import { LeasedClient } from './leased-client.js';
import type { PortableStatements } from './portable-statements.js';

/** Milliseconds that the server has to end a statement before the time of the caller is over. */
const CANCEL_BEFORE = 500;
/** Milliseconds between two heartbeats on a connection that only listens, and the longest wait for an answer. */
const HEARTBEAT = 5_000;

export interface SafePoolDeps {
  readonly pool: Pool;
  readonly deadline: PoolDeadline;
  readonly statements: PortableStatements;
  /** Milliseconds after which a lease has failed, or a statement that ran by itself, in a pool that sets no limit itself. */
  readonly limit?: number | undefined;
  /** Starts something on each connection that is checked out. @returns stops it */
  readonly onLease?: (client: PoolClient) => () => void;
  /** Called after each statement that ran by itself. */
  readonly onQuery?: (text: string) => void;
}

export interface SafePool extends PgPool {
  connect(): Promise<LeasedClient>;
  close(): void;
}

/**
 * Wraps a pool of pg for BullMQ and this package. The wrapper differs from the pool in four points:
 *
 * - Every connection has an error listener for as long as it lives. By itself, pg removes its listener from a
 *   connection that is checked out, and an `error` event without a listener ends the process.
 * - A call that waited too long for a connection sends nothing, because its caller has got an error.
 * - Statements are portable.
 * - With a `limit`, a connection on which no answer comes is broken.
 */
export function safePool({ pool, deadline, statements, limit, onLease, onQuery }: SafePoolDeps): SafePool {
  const errorListeners: ((error: Error) => void)[] = [];
  // From the start: the server may end a connection right after it accepted it.
  pool.on('connect', keepErrorListener);
  const lease = () => (limit === undefined ? pool.connect() : leaseWithin<PoolClient>(pool, limit));
  const connect = async (): Promise<LeasedClient> => {
    const client = await lease();
    keepErrorListener(client);
    return new LeasedClient(client, statements, onLease?.(client) ?? ignore);
  };
  return {
    connect,
    // Runs several times for each task, so it makes no more objects and promises than it needs.
    query: async (text, params) => {
      const client = await lease();
      keepErrorListener(client);
      // The server must not run the query later, after its caller has got an error.
      const timeOfCaller = new StatementLimit(client, deadline);
      try {
        deadline.check();
        const result = await statements.run(client, text, params, limit);
        client.release(timeOfCaller.isCancelled);
        onQuery?.(text);
        return result as never;
      } catch (error) {
        if (isUnanswered(error)) await cancelStatement(client);
        client.release(timeOfCaller.isCancelled || isBroken(error));
        throw error;
      } finally {
        timeOfCaller.clear();
      }
    },
    end: async () => undefined,
    on(event: string, listener: (argument: never) => void) {
      pool.on(event as 'error', listener as (error: Error) => void);
      errorListeners.push(listener as (error: Error) => void);
      return this;
    },
    removeAllListeners() {
      return this;
    },
    close() {
      pool.off('connect', keepErrorListener);
      for (const listener of errorListeners) pool.off('error', listener);
    },
  };
}

/**
 * Ends a statement before the time of its caller is over, so that the caller learns for certain that nothing is stored. When
 * the server does not answer that either, the connection is cut with the time.
 */
class StatementLimit {
  /** Whether a request to cancel is on its way. It might end the next statement of the connection instead. */
  isCancelled = false;
  private stop: () => void;

  constructor(client: PoolClient, deadline: PoolDeadline) {
    this.stop = deadline.whenOver(() => {
      this.isCancelled = true;
      void cancelStatement(client);
      this.stop = deadline.whenOver(() => cut(client));
    }, CANCEL_BEFORE);
  }

  clear(): void {
    this.stop();
  }
}

/** Whether the server takes no writes. */
const ASK_READ_ONLY = `SELECT current_setting('transaction_read_only') AS "readOnly"`;

/**
 * Sends a query at intervals and cuts the connection when no answer comes, or when the server takes no writes: after a failover the
 * connection still leads to the former primary, and no notification reaches it there. A connection that only listens would not notice for many minutes that
 * the server is gone: by itself, BullMQ relies on the keepalive of TCP.
 *
 * @returns stops the heartbeat
 */
export function startHeartbeat(client: PoolClient): () => void {
  let limit: NodeJS.Timeout | undefined;
  const clearLimit = () => {
    clearTimeout(limit);
    limit = undefined;
  };
  const timer = setInterval(() => {
    if (limit) return;
    limit = setTimeout(() => cut(client), HEARTBEAT).unref();
    client.query<{ readOnly: string }>(ASK_READ_ONLY).then(({ rows }) => {
      clearLimit();
      if (rows[0]?.readOnly === 'on') cut(client);
    }, clearLimit);
  }, HEARTBEAT).unref();
  return () => {
    clearInterval(timer);
    clearLimit();
  };
}

/** Ends a connection at once. Queries that still wait on it are rejected. */
export function cut(client: PoolClient): void {
  // pg has no public way to end a client without waiting for the server. BullMQ reads `connection.stream` too.
  const { connection } = client as unknown as { connection?: { stream?: Socket } };
  if (connection?.stream) resetSocket(connection.stream);
}

/**
 * Whether a connection cannot be used any more after this error. An error with a `severity` is an answer of the server
 * and leaves the connection usable, unless it is fatal, or the server became read-only: after a failover the connection
 * leads to the former primary. After a `TooLateError` nothing was sent.
 */
function isBroken(error: unknown): boolean {
  const { severity, code } = error as { severity?: string; code?: string };
  if (severity === undefined) return !(error instanceof TooLateError);
  return severity === 'FATAL' || code === READ_ONLY;
}

/** Whether pg gave up a query to which the server has not answered: the server may still run it. */
function isUnanswered(error: unknown): boolean {
  return (error as Error).message === 'Query read timeout';
}

/** SQLSTATE: the server takes no writes. */
const READ_ONLY = '25006';

/** The listener does nothing: queries that wait on the connection are rejected anyway. */
function keepErrorListener(client: PoolClient): void {
  if (client.listenerCount('error', ignore) === 0) client.on('error', ignore);
}

function ignore(): void {}
