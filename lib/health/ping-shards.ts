import type { Shard } from '../engine/ports/shard-port.js';
import { problemOfEngine } from '../engine-problem.js';
import { ConfigurationError } from '../errors.js';

/**
 * Asks shards for an answer, all at once.
 *
 * @param wanted their names; `undefined` for all
 * @returns `'up'` for each, or why it is not
 * @throws ConfigurationError for a name that no shard has
 */
export async function pingShards(
  shards: readonly Shard[],
  wanted: readonly string[] | undefined,
  ping: (shard: Shard) => Promise<void>,
): Promise<Record<string, string>> {
  const names = shards.map(({ name }) => name);
  const unknown = wanted?.find((name) => !names.includes(name));
  if (unknown !== undefined)
    throw new ConfigurationError(
      `shards of engine() names "${unknown}", and there is no such shard. The shards are: ${names.join(', ')}.`,
    );
  const asked = shards.filter(({ name }) => wanted?.includes(name) ?? true);
  return Object.fromEntries(await Promise.all(asked.map(async (shard) => [shard.name, await stateOf(shard, ping)])));
}

async function stateOf(shard: Shard, ping: (shard: Shard) => Promise<void>): Promise<string> {
  try {
    await ping(shard);
    return 'up';
  } catch (error) {
    const problem = problemOfEngine(error);
    if (problem === undefined) throw error;
    return problem;
  }
}
