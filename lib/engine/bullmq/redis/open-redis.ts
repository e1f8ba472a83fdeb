import type { Cluster, ClusterOptions, Redis, RedisOptions } from 'ioredis';
import { ConfigurationError } from '../../../errors.js';
import { withoutPassword, type Connection, type RedisConnectionOptions } from '../../connection.js';
import { loadOptionalPackage } from '../load-optional-package.js';
import { COMMAND_OPTIONS, COMMAND_SILENCE_LIMIT } from './redis-client.js';
import { cutWhenSilent } from './silence-watchdog.js';
import { RedisDriver } from './redis-driver.js';
import type { Driver } from '../driver.js';

type RedisConnection = Extract<Connection, { kind: 'redis' }>;

/**
 * Makes the driver for Redis, with an ioredis client of its own unless the application gives one. The client connects
 * when the driver is used for the first time.
 *
 * @throws ConfigurationError when ioredis is not installed, or when the prefix does not fit a cluster
 */
export async function openRedis({ url, options, client }: RedisConnection, prefix: string): Promise<Driver> {
  if (client) {
    const given = client as Redis | Cluster;
    if ('nodes' in given) checkClusterPrefix(prefix);
    return new RedisDriver(addressOf(given), given, false, prefix);
  }
  const { Redis, Cluster } = await loadOptionalPackage('ioredis', 'A redis:// connection', () => import('ioredis'));
  if (options?.nodes) {
    checkClusterPrefix(prefix);
    const { nodes = [], redisOptions, ...rest } = options as RedisConnectionOptions & ClusterOptions;
    const cluster = new Cluster(nodes, {
      ...rest,
      lazyConnect: true,
      enableOfflineQueue: false,
      redisOptions: { ...redisOptions, ...COMMAND_OPTIONS, socketTimeout: COMMAND_SILENCE_LIMIT },
    });
    return new RedisDriver(
      `The Redis cluster at ${nodes.map(({ host, port }) => `${host}:${port}`).join(', ')}`,
      cluster,
      true,
      prefix,
    );
  }
  const redis =
    url === undefined
      ? new Redis({ ...(options as RedisOptions), ...COMMAND_OPTIONS })
      : new Redis(url, COMMAND_OPTIONS);
  cutWhenSilent(redis, COMMAND_SILENCE_LIMIT);
  return new RedisDriver(
    url === undefined ? addressOf(redis) : `Redis at ${withoutPassword(url)}`,
    redis,
    true,
    prefix,
  );
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
  const { host, port, path } = client.options;
  return `Redis at ${path ?? `${host}:${port}`}`;
}
