import type { Cluster, ClusterOptions, Redis, RedisOptions } from 'ioredis';
import { ConfigurationError } from '../../../errors.js';
import { withoutPassword, type Connection, type RedisConnectionOptions } from '../../connection.js';
import { loadOptionalPackage } from '../load-optional-package.js';
import { COMMAND_OPTIONS, COMMANDS_SILENT } from './redis-client.js';
import { cutWhenSilent } from './silence-watchdog.js';
import { RedisDriver } from './redis-driver.js';
import type { Driver } from '../driver.js';

type RedisConnection = Extract<Connection, { kind: 'redis' }>;

/** A store on Redis, with a client of its own unless the application gave one. Connects later. */
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
      redisOptions: { ...redisOptions, ...COMMAND_OPTIONS, socketTimeout: COMMANDS_SILENT },
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
  cutWhenSilent(redis, COMMANDS_SILENT);
  return new RedisDriver(
    url === undefined ? addressOf(redis) : `Redis at ${withoutPassword(url)}`,
    redis,
    true,
    prefix,
  );
}

/** A cluster does what BullMQ asks for only when all keys of a queue are on one node, as keys with the same {tag} are. */
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
