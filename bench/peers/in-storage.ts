import { AsyncLocalStorage } from 'node:async_hooks';

const storage = new AsyncLocalStorage<object>();

/** As `TaskContext` and the context of every tracer do: Node 20 then calls a hook for each promise of the process. */
export function inStorage<T>(body: () => T): T {
  return storage.run({}, body);
}
