import { createConnection } from 'node:net';
import type { PoolClient } from 'pg';

/** Milliseconds in which the server has to take a request to cancel. */
const TAKEN_WITHIN = 1_000;
/** PostgreSQL's number of the request in the place where other connections send the version of their protocol. */
const CANCEL_REQUEST = 80_877_102;

/** The parts of pg's client that say where its statements run. */
interface RunningClient {
  readonly host?: string;
  readonly port?: number;
  readonly processID?: number | null;
  readonly secretKey?: number | null;
}

/**
 * Asks the server to end the statement that runs on a connection; the statement is then rejected, or it has just ended.
 * Cutting the connection is not enough: a statement that waits for a lock goes on without its client, and what it stores is
 * stored after the caller has got an error.
 *
 * PostgreSQL takes the request on a connection of its own, without a password and without TLS. PgBouncer passes it on. Where
 * something in between refuses it, the statement goes on.
 *
 * @returns a promise that resolves once the server has the request, or cannot be reached
 */
export function cancelStatement(client: PoolClient): Promise<void> {
  const { host, port, processID, secretKey } = client as unknown as RunningClient;
  if (host === undefined || port === undefined || !processID || typeof secretKey !== 'number') return Promise.resolve();
  const request = Buffer.alloc(16);
  for (const [place, value] of [request.length, CANCEL_REQUEST, processID, secretKey].entries())
    request.writeInt32BE(value, place * 4);
  return new Promise((resolve) => {
    const socket = createConnection(host.startsWith('/') ? { path: `${host}/.s.PGSQL.${port}` } : { host, port });
    socket.setTimeout(TAKEN_WITHIN, () => socket.destroy());
    socket.on('error', () => undefined);
    socket.on('close', () => resolve());
    // The server answers nothing, and closes the connection. PgBouncer forgets a request whose client has closed it.
    socket.on('connect', () => socket.write(request)).resume();
  });
}
