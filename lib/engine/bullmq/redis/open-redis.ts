import type { Cluster, ClusterOptions, Redis, RedisOptions } from 'ioredis';
import { ConfigurationError } from '../../../errors.js';
import { withoutPassword, type Connection, type RedisConnectionOptions } from '../../connection.js';
import { hostAndPort, listServers } from '../../describe-connection.js';
import { loadOptionalPackage } from '../load-optional-package.js';
import {
  clusterCommandOptions,
  COMMAND_SILENCE_LIMIT,
  commandOptions,
  isUnfit,
  joinPrefixes,
  openCommandCopy,
  openWithUrl,
  type RedisClient,
} from './client-options.js';
import { patchDisconnect } from './patched-disconnect.js';
import { patchHashReplies } from './patched-hash-replies.js';
import { patchSentinelConnector } from './patched-sentinel-connector.js';
import { cutWhenSilent } from './silence-watchdog.js';
import { RedisDriver } from './redis-driver.js';
import type { Driver } from '../driver.js';

type RedisConnection = Extract<Connection, { kind: 'redis' }>;

/**
 * Makes the driver for Redis, with an ioredis client of its own unless the application gives one that fits. The client
 * connects when the driver is used for the first time.
 *
 * @throws ConfigurationError when ioredis is not installed, or when the prefix does not fit a cluster
 */
export async function openRedis(connection: RedisConnection, prefix: string): Promise<Driver> {
  const { url, options, client } = connection;
  if (client) return await shareClient(client as RedisClient, prefix);
  const { Redis, Cluster, SentinelConnector } = await loadIORedis();
  if (options?.nodes) {
    const { nodes = [], ...rest } = options as RedisConnectionOptions & ClusterOptions;
    const address = `The Redis cluster at ${listServers(nodes)}`;
    const fullPrefix = clusterPrefix(rest, prefix);
    return new RedisDriver(address, ownClient(new Cluster(nodes, clusterCommandOptions(rest))), true, fullPrefix);
  }
  if (url !== undefined) {
    const keyPrefix = new URL(url).searchParams.get('keyPrefix') ?? '';
    const redis = ownClient(openWithUrl(Redis, url));
    return new RedisDriver(`Redis at ${withoutPassword(url)}`, redis, true, joinPrefixes({ keyPrefix }, prefix));
  }
  const own = options as RedisOptions;
  const connector = own.sentinels ? { Connector: patchSentinelConnector(SentinelConnector) } : {};
  const redis = ownClient(new Redis(commandOptions({ ...connector, ...own })));
  return new RedisDriver(addressOf(redis), redis, true, joinPrefixes(own, prefix));
}

function loadIORedis() {
  return loadOptionalPackage('ioredis', 'A redis:// connection', () => import('ioredis'));
}

/** Uses the application's client, or a copy with other options when the client's own do not fit. */
async function shareClient(client: RedisClient, prefix: string): Promise<RedisDriver> {
  const isCluster = 'nodes' in client;
  const fullPrefix = isCluster ? clusterPrefix(client.options, prefix) : joinPrefixes(client.options, prefix);
  if (!isUnfit(client)) return new RedisDriver(addressOf(client), client, false, fullPrefix);
  const hasSentinels = !isCluster && Boolean(client.options.sentinels);
  const connector = hasSentinels ? patchSentinelConnector((await loadIORedis()).SentinelConnector) : undefined;
  const copy = openCommandCopy(client, connector);
  return new RedisDriver(addressOf(client), ownClient(copy), true, fullPrefix);
}

function ownClient<C extends RedisClient>(client: C): C {
  return cutWhenSilent(patchDisconnect(patchHashReplies(client)), COMMAND_SILENCE_LIMIT);
}

/** @throws ConfigurationError when the prefix has no hash tag */
function clusterPrefix({ keyPrefix, redisOptions }: ClusterOptions, prefix: string): string {
  const fullPrefix = joinPrefixes({ keyPrefix: keyPrefix || redisOptions?.keyPrefix }, prefix);
  checkClusterPrefix(fullPrefix);
  return fullPrefix;
}

/**
 * BullMQ's scripts use several keys of a queue at once. A cluster allows that only when all these keys are on one node,
 * and it keeps keys with the same `{tag}` on one node.
 */
function checkClusterPrefix(prefix: string): void {
  if (/\{[^}]+\}/.test(prefix)) return;
  throw new ConfigurationError(
    `prefix is "${prefix}". On a Redis cluster it needs a hash tag, which keeps all keys on one node: prefix: '{${prefix}}'.`,
  );
}

function addressOf(client: Redis | Cluster): string {
  if ('nodes' in client) return 'The Redis cluster';
  const { host, port, path, sentinels, name } = client.options;
  if (sentinels) {
    return `Redis at ${name} of the sentinels ${listServers(sentinels)}`;
  }
  return `Redis at ${path ?? hostAndPort({ host, port })}`;
}
