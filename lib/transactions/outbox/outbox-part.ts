import { DEFAULT_SHARD, type Topology } from '../../engine/shards/topology.js';
import { isQueueOfTasks } from '../../engine/task-id.js';

/** The rows of an outbox that are moved in one order: those of one shard. */
export interface OutboxPart {
  /** The option `prefix` of the application, which all its rows have. */
  readonly store: string;
  /** Names the lock that lets one relay work on the rows at a time. */
  readonly lock: string;
  /** A condition of SQL that chooses the rows of the store by their queue; `''`: all of them. */
  readonly condition: string;
}

/** The parts of an outbox: one for each shard, so that no call waits behind one for a shard that cannot be reached. */
export function partsOf(store: string, { shards, queuesOf }: Topology): OutboxPart[] {
  const others = shards.filter((shard) => shard !== DEFAULT_SHARD);
  // The part of the default shard has the lock of a store without shards, which earlier versions use too.
  const rest = others.flatMap(queuesOf);
  return [
    { store, lock: store, condition: rest.length > 0 ? `AND queue NOT IN (${listOf(rest)})` : '' },
    ...others.map((shard) => ({
      store,
      lock: `${store} ${shard}`,
      condition: `AND queue IN (${listOf(queuesOf(shard))})`,
    })),
  ];
}

/** The names of queues have no character that SQL would have to quote. */
function listOf(queues: readonly string[]): string {
  return queues
    .filter(isQueueOfTasks)
    .map((queue) => `'${queue}'`)
    .join(', ');
}
