import { parseConnection, type Connection, type ConnectionOption } from './engine/connection.js';
import { describePlace } from './engine/describe-connection.js';
import { DEFAULT_SHARD, topologyOf, type Topology } from './engine/shards/topology.js';
import { isShardName } from './engine/task-id.js';
import { ConfigurationError } from './errors.js';

/** The options of one shard. */
export interface ShardOptions {
  /**
   * The server or database of the shard, in the forms of the module's own `connection`. It may be of another kind than that one.
   * On a Redis Cluster a shard may leave it out: the shard is then a hash tag of its own on the same cluster, so that its queues
   * may be on another node.
   */
  readonly connection?: ConnectionOption;
  /**
   * The namespace of the shard's data. Default: the module's own `prefix`; for a shard of the same Redis Cluster, that prefix with
   * the name of the shard in its hash tag: `{tasks-media}` for `{tasks}`.
   */
  readonly prefix?: string;
}

/** A shard that has an engine of its own. */
export interface ResolvedShard {
  readonly name: string;
  readonly connection: Connection;
  readonly prefix: string;
}

export interface ResolvedShards {
  /** Without the default shard; empty when all queues are in one place. */
  readonly shards: readonly ResolvedShard[];
  readonly topology: Topology;
}

export interface ShardContext {
  readonly connection: Connection;
  readonly prefix: string;
  /** The shard that each queue names. */
  readonly shardOfQueue: ReadonlyMap<string, string>;
  /** The default of `directUrl`. */
  readonly directUrl: string | undefined;
  /** Whether all queues are in the one place of the default shard, because a test has replaced the connection. */
  readonly areMerged: boolean;
  /** @throws ConfigurationError when the prefix does not fit the connection */
  readonly checkPrefix: (prefix: string, connection: Connection, option: string) => string;
}

const KNOWN: ReadonlySet<string> = new Set<keyof ShardOptions>(['connection', 'prefix']);

/** @throws ConfigurationError with the option, the value and the cure */
export function resolveShards(
  options: Readonly<Record<string, ShardOptions>> | undefined,
  context: ShardContext,
): ResolvedShards {
  const given: unknown = options ?? {};
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw new ConfigurationError(
      `shards is ${JSON.stringify(given)}. Give shards by their names: shards: { media: { connection: 'redis://second' } }.`,
    );
  const entries = Object.entries(given as Readonly<Record<string, ShardOptions>>);
  for (const [name, shard] of entries) checkShard(name, shard);
  checkUse(
    entries.map(([name]) => name),
    context.shardOfQueue,
  );
  const names = entries.map(([name]) => name);
  const topology = topologyOf(names, context.shardOfQueue);
  if (context.areMerged) return { shards: [], topology };
  const shards = entries.map(([name, shard]) => resolveShard(name, shard, context));
  refuseSamePlace([{ ...context, name: DEFAULT_SHARD }, ...shards]);
  return { shards, topology };
}

function checkShard(name: string, shard: unknown): void {
  if (name === DEFAULT_SHARD)
    throw new ConfigurationError(
      'shards.default is the place of all queues that name no shard. Set it with the option connection, not in shards.',
    );
  if (!isShardName(name))
    throw new ConfigurationError(
      `"${name}" in the option shards is no name of a shard. Use 1 to 31 letters, digits, _ or -, beginning with a letter or digit.`,
    );
  if (typeof shard !== 'object' || shard === null || Array.isArray(shard))
    throw new ConfigurationError(
      `shards.${name} is ${JSON.stringify(shard)}. Give its server: shards: { ${name}: { connection: 'redis://…' } }.`,
    );
  const unknown = Object.keys(shard).filter((key) => !KNOWN.has(key));
  if (unknown.length > 0)
    throw new ConfigurationError(
      `shards.${name} has no option ${unknown.join(', ')}. The options are: ${[...KNOWN].join(', ')}.`,
    );
}

function checkUse(names: readonly string[], shardOfQueue: ReadonlyMap<string, string>): void {
  const used = new Set(shardOfQueue.values());
  for (const [queue, shard] of shardOfQueue) {
    if (typeof shard === 'string' && (shard === DEFAULT_SHARD || names.includes(shard))) continue;
    const known = [DEFAULT_SHARD, ...names].join(', ');
    const cure = typeof shard === 'string' && isShardName(shard) ? shard : 'media';
    throw new ConfigurationError(
      `queues.${queue}.shard is ${JSON.stringify(shard)}, and there is no such shard. The shards are: ${known}. ` +
        `Add it: shards: { ${cure}: { connection: 'redis://…' } }.`,
    );
  }
  const unused = names.find((name) => !used.has(name));
  if (unused === undefined) return;
  throw new ConfigurationError(
    `No queue is in the shard "${unused}". Put one there: queues: { <queue>: { shard: '${unused}' } }, or remove the shard from the option shards.`,
  );
}

function resolveShard(name: string, { connection, prefix }: ShardOptions, context: ShardContext): ResolvedShard {
  const option = `shards.${name}.prefix`;
  const { checkPrefix, directUrl } = context;
  if (connection !== undefined) {
    const parsed = parseShard(name, connection, directUrl);
    return { name, connection: parsed, prefix: checkPrefix(prefix ?? context.prefix, parsed, option) };
  }
  if (!isCluster(context.connection))
    throw new ConfigurationError(
      `shards.${name} has no connection. Only the shards of a Redis Cluster do without one. ` +
        `Give its server: shards: { ${name}: { connection: 'redis://…' } }.`,
    );
  return {
    name,
    connection: context.connection,
    prefix: checkPrefix(prefix ?? taggedPrefix(context.prefix, name), context.connection, option),
  };
}

function parseShard(name: string, connection: ConnectionOption, directUrl: string | undefined): Connection {
  try {
    return parseConnection(connection, directUrl);
  } catch (error) {
    if (error instanceof ConfigurationError) throw new ConfigurationError(`shards.${name}: ${error.message}`);
    throw error;
  }
}

/** The same prefix with another hash tag. A prefix without a tag is refused when the engine opens the cluster. */
function taggedPrefix(prefix: string, shard: string): string {
  return prefix.replace(/\{([^}]+)\}/, (_, tag: string) => `{${tag}-${shard}}`);
}

function isCluster(connection: Connection): boolean {
  if (connection.kind !== 'redis') return false;
  const { client, options } = connection;
  return (client !== undefined && 'nodes' in client) || options?.nodes !== undefined;
}

/** Two shards in one place would be one shard with two names: the second would find the queues of the first. */
function refuseSamePlace(shards: readonly ResolvedShard[]): void {
  const known = new Map<string, string>();
  for (const { name, connection, prefix } of shards) {
    // Each private memory is a place of its own.
    if (connection.kind === 'memory' && connection.name === undefined) continue;
    if (connection.kind === 'embedded' && connection.folder === undefined) continue;
    const place = describePlace(connection, prefix);
    const key = place
      .replace('127.0.0.1', 'localhost')
      .replace(/:(6379|5432)(?=[/,])/, '')
      .replace('/0,', ',');
    const other = known.get(key);
    if (other !== undefined)
      throw new ConfigurationError(
        `The shards ${other} and ${name} are the same place: ${place}. Give one of them another server, or put the queues of both into one shard.`,
      );
    known.set(key, name);
  }
}
