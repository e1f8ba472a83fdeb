/** How often both connections are asked. */
const ROUNDS = 3;

/** A connection to PostgreSQL, as far as it is asked here. */
export interface Session {
  query(text: string): Promise<{ readonly rows: readonly unknown[] }>;
}

/**
 * Whether a connection has a session of the server for itself as long as it is open. That is so without a pooler in
 * between, and behind a pooler such as PgBouncer in session mode. In transaction mode, a pooler gives the session to other
 * clients between two transactions: a LISTEN would be lost, and other clients would get its notifications.
 *
 * @param raw pg's client of the connection
 * @param connect leases another connection, if that is needed to find out
 */
export async function hasSession(
  client: Session,
  raw: object,
  connect: () => Promise<Session & { release(): void }>,
): Promise<boolean> {
  const session = await sessionOf(client);
  // The server itself has told pg this number. A pooler tells a number of its own.
  if ((raw as { processID?: number }).processID === session) return true;
  const other = await connect();
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

async function sessionOf(client: Session): Promise<number | undefined> {
  const { rows } = await client.query('SELECT pg_backend_pid() AS pid');
  return (rows[0] as { readonly pid: number } | undefined)?.pid;
}
