import type { LeasedClient } from './leased-client.js';
import type { SafePool } from './safe-pool.js';

/** How often both connections are asked. */
const ROUNDS = 3;

/**
 * Whether a connection has a session of the server for itself as long as it is open. That is so without a pooler in
 * between, and behind a pooler such as PgBouncer in session mode. In transaction mode, a pooler gives the session to other
 * clients between two transactions: a LISTEN would be lost, and other clients would get its notifications.
 */
export async function hasSession(client: LeasedClient, pool: SafePool): Promise<boolean> {
  const session = await sessionOf(client);
  // The server itself has told pg this number. A pooler tells a number of its own.
  if ((client.raw as unknown as { processID?: number }).processID === session) return true;
  const other = await pool.connect();
  try {
    const sessionOfOther = await sessionOf(other);
    // A pooler takes the session that became idle last or first. In this order one of the two numbers changes.
    for (let round = 0; round < ROUNDS; round++) {
      for (const [asked, expected] of [
        [client, session],
        [client, session],
        [other, sessionOfOther],
        [other, sessionOfOther],
      ] as const) {
        if ((await sessionOf(asked)) !== expected || session === sessionOfOther) return false;
      }
    }
    return true;
  } finally {
    other.release();
  }
}

async function sessionOf(client: LeasedClient): Promise<number | undefined> {
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  return rows[0]?.pid;
}
