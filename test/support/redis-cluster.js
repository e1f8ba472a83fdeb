import { Redis } from 'ioredis';
import { createManagedProcess } from './managed-process.js';
import { findProgram } from './programs.js';
import { freePorts, startServer } from './servers.js';

/** @typedef {import('./servers.js').Server & { id: string, client: Redis }} Node a server, its id in the cluster, a client of it alone */

/**
 * A Redis Cluster on 127.0.0.1.
 *
 * @typedef {object} RedisCluster
 * @property {string} url `redis+cluster://…` with all nodes
 * @property {{ host: string, port: number }[]} nodes
 * @property {(key: string) => Promise<Node>} nodeOf the primary that keeps a key now
 * @property {(prefix: string, count?: number) => Promise<string[]>} tags hash tags that different primaries keep: `{prefix-0}` …, in the order of the primaries at the start
 * @property {() => Promise<number[]>} sizes the keys that each primary keeps
 * @property {() => Promise<void>} whenReplicated resolves once the replicas have what their primaries have acknowledged
 * @property {() => Promise<void>} close
 */

/** Slots of a cluster. */
const SLOTS = 16_384;

/**
 * Starts a Redis Cluster: primaries that share the slots, and replicas that take over.
 *
 * @param {object} [options]
 * @param {number} [options.primaries]
 * @param {number} [options.replicas] they belong to the first primaries, one each
 * @param {number} [options.nodeTimeout] milliseconds after which a node that does not answer counts as gone
 * @returns {Promise<RedisCluster>}
 */
export async function startRedisCluster({ primaries = 3, replicas = 0, nodeTimeout = 5_000 } = {}) {
  const nodes = await Promise.all(Array.from({ length: primaries + replicas }, () => startNode(nodeTimeout)));
  const first = /** @type {Node} */ (nodes[0]);
  const owners = nodes.slice(0, primaries);
  await Promise.all(
    owners.map((node, index) => {
      const [from, to] = [index, index + 1].map((part) => Math.floor((part * SLOTS) / primaries));
      return node.client.call('CLUSTER', 'ADDSLOTSRANGE', `${from}`, `${/** @type {number} */ (to) - 1}`);
    }),
  );
  // Different epochs: two primaries with the same one would have to agree first.
  for (const [index, node] of nodes.entries()) await node.client.cluster('SET-CONFIG-EPOCH', index + 1);
  for (const node of nodes.slice(1)) {
    const [host, port, bus] = node.place;
    await first.client.call('CLUSTER', 'MEET', host, `${port}`, `${bus}`);
  }
  await everywhere(
    nodes,
    async ({ client }) => (await infoOf(client)).get('cluster_known_nodes') === `${nodes.length}`,
  );
  for (const [index, replica] of nodes.slice(primaries).entries())
    await replica.client.cluster('REPLICATE', /** @type {Node} */ (owners[index]).id);
  await everywhere(nodes, async ({ client }) => (await infoOf(client)).get('cluster_state') === 'ok');
  await everywhere(nodes.slice(primaries), async ({ client }) =>
    (await client.info('replication')).includes('master_link_status:up'),
  );
  // Each node has to know the replicas: one that does not would not vote for them.
  await everywhere(nodes, async ({ client }) => {
    const known = String(await client.cluster('NODES'));
    return known.split('\n').filter((line) => / (myself,)?slave /.test(line)).length === replicas;
  });

  /** The primaries that run, by their clients. */
  async function primariesNow() {
    const roles = await Promise.all(
      nodes.map(async (node) => {
        const answer = await node.client.role().catch(() => ['gone']);
        return { node, isPrimary: answer[0] === 'master' };
      }),
    );
    return roles.filter(({ isPrimary }) => isPrimary).map(({ node }) => node);
  }

  /** @param {string} key */
  async function nodeOf(key) {
    const running = await primariesNow();
    const slot = await running[0]?.client.cluster('KEYSLOT', key);
    for (const node of running) {
      const lines = String(await node.client.cluster('NODES')).split('\n');
      const own =
        lines
          .find((line) => line.includes('myself'))
          ?.split(' ')
          .slice(8) ?? [];
      const has = own.some((range) => {
        const [from = '', to = from] = range.split('-');
        return slot !== undefined && Number(from) <= slot && slot <= Number(to);
      });
      if (has) return node;
    }
    throw new Error(`No node of the cluster keeps the key ${key}.`);
  }

  return {
    url: `redis+cluster://${nodes.map(({ port }) => `127.0.0.1:${port}`).join(',')}`,
    nodes: nodes.map(({ port }) => ({ host: '127.0.0.1', port })),
    nodeOf,
    async tags(prefix, count = primaries) {
      /** @type {Map<string, string>} */
      const tags = new Map();
      for (let number = 0; tags.size < count; number++) {
        const tag = `{${prefix}-${number}}`;
        const { id } = await nodeOf(tag);
        if (!tags.has(id)) tags.set(id, tag);
      }
      return owners.flatMap(({ id }) => tags.get(id) ?? []);
    },
    sizes: async () => Promise.all((await primariesNow()).map(({ client }) => client.dbsize())),
    async whenReplicated() {
      await everywhere(await primariesNow(), async ({ client }) => {
        const info = await client.info('replication');
        const [, offset] = /master_repl_offset:(\d+)/.exec(info) ?? [];
        return [...info.matchAll(/^slave\d+:.*offset=(\d+)/gm)].every(([, known]) => known === offset);
      });
    },
    async close() {
      await Promise.all(
        nodes.map(async ({ client, close }) => {
          client.disconnect();
          await close();
        }),
      );
    },
  };
}

/** @param {number} nodeTimeout */
async function startNode(nodeTimeout) {
  const command = findProgram('redis');
  const managed = await createManagedProcess();
  const [port, bus] = /** @type {[number, number]} */ (await freePorts(2));
  const server = await startServer(managed, {
    command,
    args: [
      ...['--bind', '127.0.0.1', '--dir', managed.folder, '--port', `${port}`, '--cluster-port', `${bus}`],
      ...['--save', '', '--appendonly', 'yes', '--repl-diskless-sync-delay', '0'],
      ...['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1', '--cluster-node-timeout', `${nodeTimeout}`],
      // A replica takes over however long it was away, and nodes go on without the slots of a primary that is gone.
      ...['--cluster-replica-validity-factor', '0', '--cluster-require-full-coverage', 'no'],
    ],
    readyText: 'Ready to accept connections',
    port,
    url: `redis://127.0.0.1:${port}`,
  });
  const client = new Redis(server.url, { maxRetriesPerRequest: 1, retryStrategy: () => 200 });
  client.on('error', () => undefined);
  const id = await client.cluster('MYID');
  // Not a copy of the server, whose pid changes.
  return Object.assign(server, { client, id, place: /** @type {const} */ (['127.0.0.1', port, bus]) });
}

/** @param {Redis} client */
async function infoOf(client) {
  const text = await client.cluster('INFO');
  return new Map(text.split('\r\n').map((line) => /** @type {[string, string]} */ (line.split(':'))));
}

/**
 * Waits until a condition is true on all nodes.
 *
 * @template N
 * @param {readonly N[]} nodes
 * @param {(node: N) => Promise<boolean>} isTrue
 */
async function everywhere(nodes, isTrue) {
  const end = performance.now() + 60_000;
  for (;;) {
    const answers = await Promise.all(nodes.map((node) => isTrue(node).catch(() => false)));
    if (answers.every(Boolean)) return;
    if (performance.now() > end) throw new Error('The nodes of the Redis Cluster did not agree within a minute.');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
