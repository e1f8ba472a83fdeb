import { inspect } from 'node:util';

/**
 * What a thrown value says, for a log line. The value may be anything: also `undefined`, or an object whose properties throw when they
 * are read. Never throws.
 */
export function thrownText(thrown: unknown): string {
  return (
    readable(() => (thrown instanceof Error ? thrown.message || thrown.name : String(thrown))) ??
    readable(() => inspect(thrown, { depth: 2 })) ??
    'a value that cannot be read'
  );
}

/** The stack of a thrown value; `undefined` when it has none. Never throws. */
export function thrownStack(thrown: unknown): string | undefined {
  const stack = readable(() => (thrown as { stack?: unknown } | null | undefined)?.stack);
  return typeof stack === 'string' ? stack : undefined;
}

/** What `read` returns; `undefined` when it throws. */
export function readable<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/**
 * The thrown value itself, or an error in its place when not even its class can be asked for: a proxy may throw at everything that is
 * done with it.
 */
export function harmless(thrown: unknown): unknown {
  try {
    void (thrown instanceof Error);
    return thrown;
  } catch {
    return new Error('The task threw a value that cannot be read: it throws when its class is asked for.');
  }
}
