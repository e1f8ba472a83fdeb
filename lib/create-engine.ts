import type { Engine } from './engine/engine.js';
import { DEFAULT_SHARD } from './engine/shards/topology.js';
import type { ResolvedOptions } from './task-queue-options.js';
import type { EngineHooks } from './testing-slot.module.js';

/**
 * Makes the engine that the options ask for: one for each shard, and one above them that looks like one. Without shards there is
 * only the one engine.
 *
 * @param hooks of the testing kit; only the memory engine calls them
 * @throws ConfigurationError when the package of a driver is not installed, with the command that installs it
 */
export async function createEngine(options: ResolvedOptions, hooks?: EngineHooks): Promise<Engine> {
  const { connection, prefix, shards, topology } = options;
  const first = await createOne({ connection, prefix }, options, hooks);
  if (shards.length === 0) return first;
  const { ShardedEngine } = await import('./engine/shards/sharded-engine.js');
  const engines = new Map([[DEFAULT_SHARD, first]]);
  for (const { name, ...place } of shards) engines.set(name, await createOne(place, options, hooks));
  return new ShardedEngine(engines, topology);
}

/** Makes one engine. It loads only the code of that engine, and connects later, in `start()`. */
async function createOne(
  { connection, prefix }: Pick<ResolvedOptions, 'connection' | 'prefix'>,
  options: ResolvedOptions,
  hooks?: EngineHooks,
): Promise<Engine> {
  const { retention, queues, logLines, keepStatistics, enqueueTimeout, abandonedAfter, mayMigrate, topology } = options;
  if (connection.kind === 'memory') {
    const { MemoryEngine } = await import('./engine/memory/memory-engine.js');
    return new MemoryEngine({
      name: connection.name && `${connection.name} ${prefix}`,
      retention,
      logLines,
      keepStatistics,
      topology,
      ...hooks,
    });
  }
  const { createBullMQEngine } = await import('./engine/bullmq/create-engine.js');
  return createBullMQEngine({
    connection,
    prefix,
    mayMigrate,
    retention,
    timeout: enqueueTimeout,
    abandonedAfter,
    logLines,
    keepStatistics,
    topology,
    hasPriorities: (queue) => queues.get(queue)?.priorities ?? false,
  });
}
