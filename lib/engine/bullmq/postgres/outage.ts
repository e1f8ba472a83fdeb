/** Whether an error means that the server cannot be reached, so that another attempt may help. */
export function isOutage(error: unknown): boolean {
  // The error is recognised by its text: under Jest, `instanceof` does not recognise errors from Node's core.
  const { code = '', message = '' } = error as { code?: string; message?: string };
  return OUTAGE_CODE.test(code) || OUTAGE_MESSAGE.test(message);
}

/**
 * SQLSTATE codes: connection exceptions (08), a server that starts, stops or ends the session (57P0). A server that answers
 * and refuses: read-only after a failover (25006), out of disk, memory or connections (53). A statement that passes when it
 * is repeated: serialization failure (40001), deadlock (40P01), lock timeout (55P03), statement timeout (57014). Tables that
 * are gone while the process runs (42P01, 3F000, 42883): the next ping creates them, as the first start did. Then the codes of
 * Node.
 */
const OUTAGE_CODE =
  /^(08...|57P0[1-5]|25006|53...|40001|40P01|55P03|57014|42P01|3F000|42883|ECONNREFUSED|ECONNRESET|ECONNABORTED|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ENOENT)$/;
/** For errors without such a code: messages of pg, of its pool, and of a server that starts or stops. */
const OUTAGE_MESSAGE =
  /Connection terminated|connection timeout|timeout exceeded when trying to connect|Client has encountered a connection error|not queryable|Query read timeout|ECONNREFUSED|the database system is/i;
