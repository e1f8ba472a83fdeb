import type { PgPool, PgPoolClient } from 'bullmq';
import type { Socket } from 'node:net';
import type { Pool, PoolClient } from 'pg';
import { TooLateError, type PoolDeadline } from '../call-deadline.js';
import { resetSocket } from '../reset-socket.js';

/** Milliseconds between two heartbeats on a connection that only listens, and the longest wait for an answer. */
const HEARTBEAT = 5_000;

/** Prepares a connection for use. @returns restores the connection before the pool hands it out again */
export type Prepare = (client: PoolClient) => Promise<() => Promise<void>>;

/**
 * Wraps a pool of pg for BullMQ and this package. The wrapper differs from the pool in two points:
 *
 * - Every connection has an error listener for as long as it lives. By itself, pg removes its listener from a
 *   connection that is checked out, and an `error` event without a listener ends the process.
 * - A call that waited too long for a connection sends nothing, because its caller has got an error.
 *
 * @param prepare runs on each connection that is checked out
 */
export function safePool(pool: Pool, deadline: PoolDeadline, prepare?: Prepare): PgPool & { close(): void } {
  const errorListeners: ((error: Error) => void)[] = [];
  // From the start: the server may end a connection right after it accepted it.
  pool.on('connect', keepErrorListener);
  const connect = async (): Promise<PgPoolClient> => {
    const client = await pool.connect();
    keepErrorListener(client);
    try {
      restoreOnRelease(client, await prepare?.(client));
    } catch (error) {
      client.release(true);
      throw error;
    }
    return client;
  };
  return {
    connect,
    query: async (text, params) => {
      const client = await connect();
      // The server must not run the query later, after its caller has got an error.
      const cancelCut = deadline.whenOver(() => cut(client as unknown as PoolClient));
      try {
        deadline.check();
        const result = await client.query(text, params);
        client.release();
        return result as never;
      } catch (error) {
        client.release(isBroken(error));
        throw error;
      } finally {
        cancelCut();
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
 * Sends a query at intervals and cuts the connection when no answer comes. A connection that only listens would not
 * notice for many minutes that the server is gone: by itself, BullMQ relies on the keepalive of TCP.
 *
 * @returns stops the heartbeat
 */
export async function startHeartbeat(client: PoolClient): Promise<() => Promise<void>> {
  let limit: NodeJS.Timeout | undefined;
  const clearLimit = () => {
    clearTimeout(limit);
    limit = undefined;
  };
  const timer = setInterval(() => {
    if (limit) return;
    limit = setTimeout(() => cut(client), HEARTBEAT).unref();
    client.query('SELECT 1').then(clearLimit, clearLimit);
  }, HEARTBEAT).unref();
  return async () => {
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
 * Makes the client's `release` restore the connection before the pool gets it back. A second call does nothing; by
 * itself, pg throws then.
 */
function restoreOnRelease(client: PoolClient, restore: (() => Promise<void>) | undefined): void {
  const { release } = client;
  let released = false;
  client.release = (destroy) => {
    if (released) return;
    released = true;
    const giveBack = (reason?: Error | boolean) => release.call(client, reason);
    const restored = restore?.();
    if (!restored) giveBack(destroy);
    else if (destroy) {
      restored.catch(ignore);
      giveBack(destroy);
    } else restored.then(() => giveBack(), giveBack);
  };
}

/**
 * Whether a connection cannot be used any more after this error. An error with a `severity` is an answer of the server
 * and leaves the connection usable, unless it is fatal, or the server became read-only: after a failover the connection leads
 * to the former primary. After a `TooLateError` nothing was sent.
 */
function isBroken(error: unknown): boolean {
  const { severity, code } = error as { severity?: string; code?: string };
  if (severity === undefined) return !(error instanceof TooLateError);
  return severity === 'FATAL' || code === READ_ONLY;
}

/** SQLSTATE: the server takes no writes. */
const READ_ONLY = '25006';

/** The listener does nothing: queries that wait on the connection are rejected anyway. */
function keepErrorListener(client: PoolClient): void {
  if (!client.listeners('error').includes(ignore)) client.on('error', ignore);
}

function ignore(): void {}
