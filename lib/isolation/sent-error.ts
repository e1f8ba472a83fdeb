import * as errors from '../errors.js';
import { readable, thrownStack, thrownText } from '../thrown-text.js';

/** An error as a message between two processes carries it. */
export interface SentError {
  readonly name: string;
  readonly message: string;
  readonly stack?: string | undefined;
  /** Its own fields, such as `code` and `id`. */
  readonly fields: Readonly<Record<string, unknown>>;
}

export function toSentError(thrown: unknown): SentError {
  const error = readable(() => (thrown instanceof Error ? thrown : undefined)) ?? new Error(thrownText(thrown));
  const name: unknown = readable(() => error.name);
  return {
    name: typeof name === 'string' ? name : 'Error',
    message: thrownText(error),
    stack: thrownStack(error),
    fields: readable(() => fieldsOf(error)) ?? {},
  };
}

/** The error with the class that it has in this package, so that `instanceof` holds; an `Error` with its name for any other. */
export function fromSentError({ name, message, stack, fields }: SentError): Error {
  const error = new Error(message);
  const type = (errors as unknown as Readonly<Record<string, unknown>>)[name];
  if (typeof type === 'function') Object.setPrototypeOf(error, type.prototype as object);
  else if (name !== 'Error') Object.defineProperty(error, 'name', { value: name, configurable: true, writable: true });
  if (stack !== undefined) Object.defineProperty(error, 'stack', { value: stack, configurable: true, writable: true });
  return Object.assign(error, fields);
}

/** The fields that a message can carry. An error of a driver may have sockets and functions among its fields. */
function fieldsOf(error: Error): Record<string, unknown> {
  const { cause } = error as { cause?: unknown };
  const fields = Object.fromEntries(Object.entries(error).filter(([, value]) => canBeSent(value)));
  return cause === undefined ? fields : { ...fields, cause: plainCause(cause) };
}

function plainCause(cause: unknown): unknown {
  if (!(cause instanceof Error)) return canBeSent(cause) ? cause : thrownText(cause);
  const { name, message } = cause;
  return { name, message, ...('code' in cause && { code: cause.code }) };
}

function canBeSent(value: unknown): boolean {
  try {
    structuredClone(value);
    return true;
  } catch {
    return false;
  }
}
