import type { Engine } from '../engine/engine.js';

/** The queues of each shard that workers have told of and that the command does not know. */
export async function unseenShards(
  engine: Pick<Engine, 'shards' | 'workers'>,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const known = new Set(engine.shards.map(({ name }) => name));
  const unseen = new Map<string, Set<string>>();
  for (const { shardOfQueues = {} } of await engine.workers.list().catch(() => []))
    for (const [queue, shard] of Object.entries(shardOfQueues))
      if (!known.has(shard)) unseen.set(shard, (unseen.get(shard) ?? new Set()).add(queue));
  return new Map(Array.from(unseen, ([shard, queues]) => [shard, [...queues].toSorted()]));
}

/**
 * A note for people about shards that the command was told of and does not show, or `undefined` when there is none.
 *
 * @param away the names of shards that cannot be reached
 */
export function noteOfUnknown(unknown: readonly string[], away: readonly string[]): string | undefined {
  if (unknown.length === 0) return undefined;
  return unknown
    .map((shard) =>
      away.includes(shard)
        ? `The shard ${shard} is not shown: it cannot be reached, and no worker has told which queues it has.`
        : `The shard ${shard} is not shown: no queue of it is known, neither there nor by a worker. Check the place in --shard ${shard}=...`,
    )
    .join('\n');
}

/** A note for people, or `undefined` when the command sees all shards. */
export function noteOfUnseen(unseen: ReadonlyMap<string, readonly string[]>): string | undefined {
  if (unseen.size === 0) return undefined;
  const names = Array.from(unseen, ([shard, queues]) => `${shard} (${queues.join(', ')})`).join(', ');
  const [first = ''] = unseen.keys();
  return (
    `The queues of these shards are not shown: ${names}. Give the places of the shards: --shard ${first}=redis://..., ` +
    'once for each, or TASK_QUEUE_SHARDS.'
  );
}
