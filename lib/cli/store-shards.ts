import { createEngine } from '../create-engine.js';
import { ONE_SHARD } from '../engine/shards/topology.js';
import { isInternalQueue } from '../engine/task-id.js';
import { ConfigurationError, EngineUnavailableError } from '../errors.js';
import type { ResolvedShard, ShardOptions } from '../shard-options.js';
import { resolveOptions, type ResolvedOptions, type TaskQueueOptions } from '../task-queue-options.js';
import { wrongUsage } from './exit-code.js';

/** Shards by their names. */
export type NamedShards = Readonly<Record<string, ShardOptions>>;

/** Where a shard is. */
export type ShardPlace = Pick<ResolvedShard, 'connection' | 'prefix'> & { readonly name?: string };

/** What is known of the shards that a command names. */
export interface KnownShards {
  readonly queues: QueuesOfShards;
  /** The names of those that cannot be reached. */
  readonly away: readonly string[];
}

/** The option of the application for each queue that is in a shard. */
export type QueuesOfShards = Readonly<Record<string, { readonly shard: string }>>;

/**
 * The shards that `--shard` and TASK_QUEUE_SHARDS name: `media=redis://second`, with another prefix `media=redis://second#films`, and on a
 * Redis Cluster `media`, or `media={films}` with another hash tag.
 *
 * @throws CommandError
 */
export function namedShards(given: readonly string[] | undefined, env: NodeJS.ProcessEnv): NamedShards {
  const texts = given?.length ? given : (env['TASK_QUEUE_SHARDS']?.split(/\s+/).filter(Boolean) ?? []);
  return Object.fromEntries(
    texts.map((text) => {
      const [, name, value = ''] = /^([^=]+)(?:=(.+))?$/.exec(text) ?? [];
      if (name === undefined) {
        throw wrongUsage(
          '--shard (or TASK_QUEUE_SHARDS) needs the name of a shard and its place: --shard media=redis://second.',
        );
      }
      const [connection = '', prefix] = /^[a-z+]+:/i.test(value) ? value.split('#') : ['', value];
      return [name, { ...(connection && { connection }), ...(prefix && { prefix }) }];
    }),
  );
}

/** The places of all shards, that of the default one first, which has no name. @throws CommandError */
export function placesOf(
  options: Pick<TaskQueueOptions, 'connection' | 'prefix'>,
  given: readonly string[] | undefined,
  env: NodeJS.ProcessEnv,
): ShardPlace[] {
  try {
    const { connection, prefix, shards } = withAnyQueue(options, namedShards(given, env), env);
    return [{ connection, prefix }, ...shards];
  } catch (error) {
    if (error instanceof ConfigurationError) throw wrongUsage(error.message);
    throw error;
  }
}

/** The options with a made-up queue in each shard: without any queue they would be refused. */
function withAnyQueue(options: TaskQueueOptions, shards: NamedShards, env: NodeJS.ProcessEnv): ResolvedOptions {
  const queues = Object.keys(shards).map((shard, index) => [`q${index}`, { shard }] as const);
  return resolveOptions({ ...options, shards, queues: Object.fromEntries(queues) }, env);
}

/**
 * Finds out which queue is in which shard: each place knows the queues that have had tasks or workers there, and workers tell the shards
 * of all queues. What a worker tells takes precedence, because a queue that was moved has left its name in its former place.
 *
 * @param options of the default shard
 */
export async function queuesOfShards(
  options: TaskQueueOptions,
  shards: NamedShards,
  env: NodeJS.ProcessEnv,
): Promise<KnownShards> {
  const away: string[] = [];
  const names = Object.keys(shards);
  const placed = withAnyQueue(options, shards, env);
  const places = [{ ...placed, name: undefined }, ...placed.shards];
  const found: Record<string, { shard: string }> = {};
  const told: Record<string, { shard: string }> = {};
  for (const { name, connection, prefix } of places) {
    const engine = await createEngine({ ...placed, connection, prefix, shards: [], topology: ONE_SHARD });
    try {
      await engine.start();
      const [queues, workers] = await Promise.all([engine.lists.queueNames(), engine.workers.list()]);
      if (name !== undefined) {
        for (const queue of queues) if (!isInternalQueue(queue)) found[queue] = { shard: name };
      }
      for (const { shardOfQueues = {} } of workers)
        for (const [queue, shard] of Object.entries(shardOfQueues)) told[queue] = { shard };
    } catch (error) {
      // The other places may know its queues.
      if (!(error instanceof EngineUnavailableError)) throw error;
      if (name !== undefined) away.push(name);
    } finally {
      await engine.close();
    }
  }
  const all = Object.entries({ ...found, ...told });
  return { queues: Object.fromEntries(all.filter(([, { shard }]) => names.includes(shard))), away };
}
