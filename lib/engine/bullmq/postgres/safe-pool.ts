import type { PgPool, PgPoolClient } from 'bullmq';
import type { Socket } from 'node:net';
import type { Pool, PoolClient } from 'pg';
import { TooLateError, type PoolDeadline } from '../call-deadline.js';
import { resetSocket } from '../reset-socket.js';

/** How often a connection that only listens asks for an answer, and how long it waits for that. */
const HEARTBEAT = 5_000;

/** What is to be done with a connection before it is used; it returns what undoes it before somebody else gets it. */
export type Prepare = (client: PoolClient) => Promise<() => Promise<void>>;

/**
 * A pool as BullMQ and this package use it: each connection that is checked out has somebody who hears of its end, which
 * would otherwise end the process, and whoever waited too long for one sends nothing.
 */
export function safePool(pool: Pool, deadline: PoolDeadline, prepare?: Prepare): PgPool & { close(): void } {
  const added: ((error: Error) => void)[] = [];
  // From its first moment: the server may end a connection in the same breath in which it accepts it.
  pool.on('connect', guard);
  const connect = async (): Promise<PgPoolClient> => {
    const client = await pool.connect();
    guard(client);
    try {
      releaseWith(client, await prepare?.(client));
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
      // What nobody waits for any more is not to be carried out later.
      const stop = deadline.whenOver(() => cut(client as unknown as PoolClient));
      try {
        deadline.check();
        const result = await client.query(text, params);
        client.release();
        return result as never;
      } catch (error) {
        client.release(isBroken(error));
        throw error;
      } finally {
        stop();
      }
    },
    end: async () => undefined,
    on(event: string, listener: (argument: never) => void) {
      pool.on(event as 'error', listener as (error: Error) => void);
      added.push(listener as (error: Error) => void);
      return this;
    },
    removeAllListeners() {
      return this;
    },
    close() {
      pool.off('connect', guard);
      for (const listener of added) pool.off('error', listener);
    },
  };
}

/** Keeps asking: a connection that only listens would not notice for many minutes that nobody talks any more. */
export async function heartbeat(client: PoolClient): Promise<() => Promise<void>> {
  let limit: NodeJS.Timeout | undefined;
  const answered = () => {
    clearTimeout(limit);
    limit = undefined;
  };
  const timer = setInterval(() => {
    if (limit) return;
    limit = setTimeout(() => cut(client), HEARTBEAT).unref();
    client.query('SELECT 1').then(answered, answered);
  }, HEARTBEAT).unref();
  return async () => {
    clearInterval(timer);
    answered();
  };
}

/** Ends a connection at once. Whoever waits for its answers hears of it. */
export function cut(client: PoolClient): void {
  // The way that BullMQ takes, too: a client has no public one that does not wait for the server.
  const { connection } = client as unknown as { connection?: { stream?: Socket } };
  if (connection?.stream) resetSocket(connection.stream);
}

/** Lets the client's `release` undo what was prepared, and do no harm when it is called once too often. */
function releaseWith(client: PoolClient, undo: (() => Promise<void>) | undefined): void {
  const { release } = client;
  let released = false;
  client.release = (destroy) => {
    if (released) return;
    released = true;
    const giveBack = (reason?: Error | boolean) => release.call(client, reason);
    const undone = undo?.();
    if (!undone) giveBack(destroy);
    else if (destroy) {
      undone.catch(ignore);
      giveBack(destroy);
    } else undone.then(() => giveBack(), giveBack);
  };
}

/** Whether a connection is of no use after this error: not after one that the server answered with. */
function isBroken(error: unknown): boolean {
  const { severity } = error as { severity?: string };
  return severity === undefined ? !(error instanceof TooLateError) : severity === 'FATAL';
}

/** An error that nobody listens to ends the process. Whoever waits for an answer of this connection hears of it anyway. */
function guard(client: PoolClient): void {
  if (!client.listeners('error').includes(ignore)) client.on('error', ignore);
}

function ignore(): void {}
