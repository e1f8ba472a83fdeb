import type { Redis } from 'ioredis';
import { bytesText, fine, finding, fullness, type Finding } from '../../ports/diagnosis-port.js';
import { bareMessage } from '../../bare-error.js';
import type { RedisClient } from './client-options.js';
import { nodeOf } from './redis-client.js';

/** What Redis says about itself, by field. */
type Info = ReadonlyMap<string, string>;

/**
 * Checks the settings of a Redis or Valkey server by its `INFO`, which every role with `+@dangerous` or `+info` may read. In a cluster it
 * checks the node that keeps the queues.
 *
 * @param key any key of the queues
 */
export async function diagnoseRedis(cluster: RedisClient, address: string, key: string): Promise<Finding[]> {
  const client = await nodeOf(cluster, key);
  const start = performance.now();
  await client.ping();
  const answered = `${address} answers in ${Math.max(1, Math.round(performance.now() - start))} ms`;
  const others = await otherWorkers(client);
  let info: Info;
  try {
    info = readInfo(await client.info());
  } catch (error) {
    return [
      fine('engine', answered),
      ...others,
      finding(
        'settings',
        'warn',
        `The settings of the server are not known: ${bareMessage(error)}`,
        'Let the user run INFO: ACL SETUSER <user> +info. Or check maxmemory-policy (noeviction) and appendonly (yes) by hand.',
      ),
    ];
  }
  return [
    fine('engine', `${serverOf(info)}: ${answered}`),
    role(info),
    eviction(info),
    persistence(info),
    memory(info),
    connections(info),
    ...others,
  ];
}

/** Nothing is wrong without this right, but the workers of BullMQ that take from the queues too stay unseen. */
async function otherWorkers(client: Redis): Promise<Finding[]> {
  try {
    await client.call('CLIENT', 'LIST', 'ID', '1');
    return [];
  } catch (error) {
    return [
      finding(
        'other workers',
        'warn',
        `Workers of BullMQ that take from the queues of this package cannot be seen: ${bareMessage(error)}`,
        'Let the user list the connections: ACL SETUSER <user> +client|list.',
      ),
    ];
  }
}

/** @param text lines `field:value` under headings that begin with `#` */
export function readInfo(text: string): Info {
  return new Map(
    Array.from(text.matchAll(/^([^#:\r\n]+):([^\r\n]*)/gm), ([, field = '', value = '']) => [field, value] as const),
  );
}

function serverOf(info: Info): string {
  const valkey = info.get('valkey_version');
  return valkey === undefined ? `Redis ${info.get('redis_version') ?? ''}` : `Valkey ${valkey}`;
}

function role(info: Info): Finding {
  if (info.get('role') !== 'slave') return fine('role', 'The server takes writes.');
  return finding(
    'role',
    'fail',
    'The server is a replica, which refuses writes.',
    'Give the address of the primary, or connect through sentinels (connection: { sentinels, name }).',
  );
}

function eviction(info: Info): Finding {
  const policy = info.get('maxmemory_policy') ?? 'unknown';
  if (policy === 'noeviction') return fine('eviction', 'maxmemory-policy is noeviction.');
  return finding(
    'eviction',
    'fail',
    `maxmemory-policy is ${policy}: a server without free memory deletes tasks.`,
    'CONFIG SET maxmemory-policy noeviction, and the same in redis.conf; hosted servers have it as a setting.',
  );
}

function persistence(info: Info): Finding {
  if (info.get('aof_last_write_status') === 'err' || info.get('rdb_last_bgsave_status') === 'err') {
    return finding(
      'persistence',
      'fail',
      'The server could not write to its disk the last time it tried.',
      'See its log. Mostly the disk is full, or its folder may not be written.',
    );
  }
  if (info.get('aof_enabled') === '1') return fine('persistence', 'appendonly is on.');
  return finding(
    'persistence',
    'warn',
    'appendonly is off: a crash of the server loses the tasks since its last snapshot.',
    'CONFIG SET appendonly yes, and the same in redis.conf. Leave it off where tasks may get lost.',
  );
}

function memory(info: Info): Finding {
  const [used, most] = [numberIn(info, 'used_memory'), numberIn(info, 'maxmemory')];
  const total = numberIn(info, 'total_system_memory');
  const whole = most > 0 ? most : total;
  const limit = most > 0 ? 'maxmemory' : "the host's memory";
  const text = whole > 0 ? `${bytesText(used)} used of ${bytesText(whole)} (${limit}).` : `${bytesText(used)} used.`;
  return fullness(
    'memory',
    used,
    whole,
    text,
    'Raise maxmemory, keep results for a shorter time (results: { ttl }), or purge queues whose tasks no application needs.',
  );
}

function connections(info: Info): Finding {
  const [used, most] = [numberIn(info, 'connected_clients'), numberIn(info, 'maxclients')];
  const text = most > 0 ? `${used} connections of ${most}.` : `${used} connections.`;
  return fullness(
    'connections',
    used,
    most,
    text,
    'Raise maxclients, or find the process that opens so many (CLIENT LIST).',
  );
}

function numberIn(info: Info, field: string): number {
  return Number(info.get(field) ?? 0) || 0;
}
