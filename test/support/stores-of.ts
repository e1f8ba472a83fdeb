import type { Engine } from '../../lib/engine/engine.js';
import { LimitedEnqueue } from '../../lib/engine/limited-enqueue.js';
import { CallStores } from '../../lib/transactions/call-stores.js';

/** Stores every call in the engine, without limits. */
export function storesOf(engine: Engine): CallStores {
  const limited = new LimitedEnqueue({ engine, maxQueued: () => undefined });
  return new CallStores({
    engine,
    direct: limited,
    through: (store) => limited.through(store),
    current: () => undefined,
  });
}
