import type { ForeignWorker } from '../../ports/foreign-workers-port.js';
import type { RedisClient } from './client-options.js';

/** The workers of this package are named by the ids of their processes. */
const OWN_NAME = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/;
/** Between the name of a queue and that of the worker, in the name of a connection. */
const WORKER = ':w:';

/**
 * The workers of BullMQ that are connected and not of this package, by the names that BullMQ gives to their connections:
 * `<prefix>:<queue in base64>`, and `:w:<name>` behind it when the worker has a name. Not every user may list the connections: see
 * `otherWorkers` in diagnose-redis.ts.
 */
export async function foreignWorkersOnRedis(
  client: RedisClient,
  prefix: string,
  queues: readonly string[],
): Promise<ForeignWorker[]> {
  const byName = new Map(queues.map((queue) => [`${prefix}:${Buffer.from(queue).toString('base64')}`, queue]));
  const texts = 'nodes' in client ? await Promise.all(client.nodes().map(listOf)) : [await listOf(client)];
  const found = texts.flatMap((text) => Array.from(connectionsIn(text), (one) => workerOf(one, byName)));
  const workers = found.filter((worker) => worker !== undefined);
  // A worker has a connection to several nodes of a cluster.
  return [...new Map(workers.map((worker) => [JSON.stringify(worker), worker])).values()];
}

async function listOf(client: { client(subcommand: 'LIST'): Promise<unknown> }): Promise<string> {
  return String(await client.client('LIST'));
}

interface Connection {
  readonly name: string;
  readonly address: string | undefined;
}

/** @param text a line of `field=value` for each connection; no value contains a blank */
function* connectionsIn(text: string): Iterable<Connection> {
  for (const line of text.split('\n')) {
    const name = / name=(\S+)/.exec(line)?.[1];
    if (name !== undefined) yield { name, address: / addr=(\S+)/.exec(line)?.[1] };
  }
}

function workerOf({ name, address }: Connection, queues: ReadonlyMap<string, string>): ForeignWorker | undefined {
  const end = name.lastIndexOf(WORKER);
  const [queue, own] = [queues.get(name), queues.get(name.slice(0, Math.max(end, 0)))];
  if (queue !== undefined) return { queue, address, name: undefined, otherPlace: undefined };
  const given = name.slice(end + WORKER.length);
  if (own === undefined || OWN_NAME.test(given)) return undefined;
  return { queue: own, address, name: given, otherPlace: undefined };
}
