import type { ShardPort } from '../engine/ports/shard-port.js';
import { EngineUnavailableError } from '../errors.js';

/** A shard, as `TaskAdmin.shards()` shows it. */
export interface ShardInfo {
  readonly name: string;
  /** Whether its server answers. While it does not, its queues wait and are missing in lists; the other queues go on. */
  readonly reachable: boolean;
  /** Why the server cannot be reached, with its address and without credentials; `null` when it answers. */
  readonly error: string | null;
}

/** Asks every shard for an answer, all at once. */
export function readShards({ shards }: Pick<ShardPort, 'shards'>): Promise<ShardInfo[]> {
  return Promise.all(
    shards.map(async (shard) => {
      try {
        await shard.ping();
        return { name: shard.name, reachable: true, error: null };
      } catch (error) {
        if (!(error instanceof EngineUnavailableError)) throw error;
        return { name: shard.name, reachable: false, error: error.message };
      }
    }),
  );
}
