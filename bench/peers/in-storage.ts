import { AsyncLocalStorage } from 'node:async_hooks';

const storage = new AsyncLocalStorage<object>();

/**
 * Runs a function in an `AsyncLocalStorage`, as `TaskContext` and every tracer do. Node 20 then calls a hook for each
 * promise of the process.
 */
export function inStorage<T>(body: () => T): T {
  return storage.run({}, body);
}
