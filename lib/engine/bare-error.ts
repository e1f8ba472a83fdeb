import { TaskQueueError } from '../errors.js';

/** Characters of a message that are kept. */
const LONGEST_MESSAGE = 2_000;
/** Causes that are copied. A driver's error has one cause at most, a wrapped one has two. */
const DEEPEST_CAUSE = 3;

/**
 * A copy of an error of a driver, for errors and log lines that leave the engine: its name, code, message and stack. The
 * errors themselves carry what was sent: ioredis keeps the arguments of a command (of AUTH, too), PostgreSQL quotes values
 * in the details and in some messages. An error of this package is returned as it is.
 */
export function bareError(error: unknown, depth = 0): Error {
  if (error instanceof TaskQueueError) return error;
  const { name = 'Error', code, stack, cause } = (error ?? {}) as Partial<Error> & { code?: unknown };
  const message = bareMessage(error);
  const inner = cause === undefined || depth === DEEPEST_CAUSE ? undefined : bareError(cause, depth + 1);
  const copy = new Error(message, inner && { cause: inner });
  // Not enumerable, as in other errors.
  Object.defineProperty(copy, 'name', { value: name, configurable: true, writable: true });
  const frames = typeof stack === 'string' ? (/\n {4}at [\s\S]*$/.exec(stack)?.[0] ?? '') : '';
  copy.stack = `${name}: ${message}${frames}`;
  return typeof code === 'string' || typeof code === 'number' ? Object.assign(copy, { code }) : copy;
}

/** The message of an error without the values that some drivers quote. */
export function bareMessage(error: unknown): string {
  const { name, code, message } = (error ?? {}) as {
    name?: string;
    code?: string | number;
    message?: unknown;
  };
  const text = (typeof message === 'string' && message !== '' ? message : String(code ?? name ?? 'Error')).slice(
    0,
    LONGEST_MESSAGE,
  );
  // JSON.parse quotes a part of the text.
  if (name === 'SyntaxError') return 'A text is not JSON.';
  // PostgreSQL: a value that does not fit its type, with the quotation marks that it contains.
  const withoutValues = typeof code === 'string' && /^22...$/.test(code) ? text.replace(/"[\s\S]*"/, '"…"') : text;
  return (
    withoutValues
      // Redis: a command that the server does not know.
      .replace(/,? with args beginning with:[\s\S]*$/, '')
      // MySQL and MariaDB: a value that does not fit its column or is there already, and a part of a statement.
      .replace(/\b(entry|value:?) '[\s\S]*'(?= for (?:key|column) )/gi, "$1 '…'")
      .replace(/\bnear '[\s\S]*'(?= at line )/g, "near '…'")
      // The user and password of a URL.
      .replace(/\/\/\S*@/g, '//…@')
  );
}
