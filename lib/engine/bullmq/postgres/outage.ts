/** Whether an error means that the server cannot be reached, so that another attempt may help. */
export function isOutage(error: unknown): boolean {
  // The error is recognised by its text: under Jest, `instanceof` does not recognise errors from Node's core.
  const { code = '', message = '' } = error as { code?: string; message?: string };
  return OUTAGE_CODE.test(code) || OUTAGE_MESSAGE.test(message);
}

/** Whether the server answers and does not let the role of this process do that: it lacks a right, or may not connect any more. */
export function isForbidden(error: unknown): boolean {
  return lacksRight(error) || /^28...$/.test((error as { code?: string }).code ?? '');
}

/** Whether the server has answered. A fatal answer ends the connection, or is the only one on it: the server starts, stops or is full. */
export function isAnswer(error: unknown): boolean {
  const { severity = 'FATAL' } = error as { severity?: string };
  return severity !== 'FATAL' && severity !== 'PANIC';
}

/** Whether the role lacks a right. */
export function lacksRight(error: unknown): boolean {
  return (error as { code?: string }).code === '42501';
}

/**
 * SQLSTATE codes, mostly by their class, because a class says who has to do something:
 *
 * - 08, 57, 58, XX, F0: the connection, an operator, the system or the server itself. Among them are a server that starts, stops
 *   or ends the session (57P0) and a statement timeout (57014).
 * - 25, 26, 53: a server that answers and refuses: read-only after a failover (25006), out of disk, memory or connections (53), a pooler
 *   that has lost a prepared statement (26000).
 * - 40, 55: a statement that passes when it is repeated: serialization failure, deadlock, lock timeout.
 * - 28, 42501: a password or a privilege that an administrator changes while the process runs.
 * - 0A000, 3D000, 3F000, 42P01, 42P05, 42703, 42704, 42883: a database, tables or functions that are gone or are just being changed.
 *   The next ping creates missing ones, as the first start did.
 *
 * What is wrong with a value (22, 23, 54), and what a trigger of the application refuses, stays wrong. Then the codes of Node.
 */
const OUTAGE_CODE =
  /^(08...|25...|26...|28...|40...|53...|55...|57...|58...|XX...|F0...|0A000|3D000|3F000|42501|42P01|42P05|42703|42704|42883|ECONNREFUSED|ECONNRESET|ECONNABORTED|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ENOENT)$/;
/** For errors without such a code: messages of pg, of its pool, and of a server that starts or stops. */
const OUTAGE_MESSAGE =
  /Connection terminated|connection timeout|timeout exceeded when trying to connect|Client has encountered a connection error|not queryable|Query read timeout|ECONNREFUSED|the database system is/i;
