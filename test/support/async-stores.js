import { AsyncLocalStorage } from 'node:async_hooks';

/** The stores that have been entered since `disableAsyncStores()`. @type {Set<AsyncLocalStorage<unknown>>} */
const entered = new Set();

// Both run for every store that is entered. `enterWith` and `run` are the only ways to enter one.
for (const method of /** @type {const} */ (['run', 'enterWith'])) {
  const enter = AsyncLocalStorage.prototype[method];
  AsyncLocalStorage.prototype[method] = function (/** @type {unknown[]} */ ...args) {
    entered.add(this);
    return Reflect.apply(enter, this, args);
  };
}

/**
 * Disables the stores of a suite that has ended. Before version 24, Node keeps a store that was entered once for ever, with the modules
 * that it belongs to, and every promise passes the values of all stores on. Each suite has its own copy of all stores, those of Nest and
 * of Jest too, so each one would slow the suites after it.
 */
export function disableAsyncStores() {
  for (const store of entered) store.disable();
  entered.clear();
}
