import { afterAll, describe } from '@jest/globals';
import { Redis } from 'ioredis';
import { join } from 'node:path';
import pg from 'pg';
import { createManagedProcess, type ManagedProcess } from './managed-process.js';
import { startRedisCluster } from './redis-cluster.js';
import { freePrefix, startRedis } from './servers.js';

/** A store of tasks that only one test uses. A second application in the same place finds the same tasks. */
export interface Place {
  connection: string;
  prefix: string;
}

/** One of the engines that the contract suites run on. */
export interface TestEngine {
  name: 'redis' | 'postgres' | 'embedded' | 'memory';
  /** Creates an empty place. The suite need not clean it up: everything in it is removed after the suite. */
  place(): Promise<Place>;
}

/**
 * Declares one suite for every engine: `describeEachEngine('retries', (engine) => test(…))` declares `retries on
 * redis`, `retries on postgres`, `retries on embedded` and `retries on memory`.
 */
export function describeEachEngine(name: string, declareTests: (engine: TestEngine) => void): void {
  // By name only: `TEST_ENGINES=redis-cluster npm test -- contract`.
  const isOnCluster = process.env['TEST_ENGINES'] === 'redis-cluster';
  describeEach(isOnCluster ? [redisCluster] : [redis, postgres, embedded, memory], name, declareTests);
}

/** Declares one suite for every database that BullMQ runs on, for tests of BullMQ's own objects and of its messages. */
export function describeEachDatabase(name: string, declareTests: (engine: TestEngine) => void): void {
  describeEach([redis, postgres, embedded], name, declareTests);
}

/** Declares one suite for PostgreSQL, as a server and inside of the process, for tests of BullMQ's tables. */
export function describeEachPostgres(name: string, declareTests: (engine: TestEngine) => void): void {
  describeEach([postgres, embedded], name, declareTests);
}

/** Two servers or databases: the second one is the shard `media`. */
export interface ShardedPlace extends Place {
  shards: { media: Place };
}

export interface TestPair {
  name: string;
  /** Creates two empty places. Everything in them is removed after the suite. */
  place(): Promise<ShardedPlace>;
}

/** Declares one suite for pairs of servers of one kind and of two kinds, and for two nodes of a cluster, for tests of shards. */
export function describeEachPair(name: string, declareTests: (pair: TestPair) => void): void {
  describe(`${name} on two nodes of a Redis Cluster`, () => {
    const { nodes, clean } = clusterNodes();
    declareTests({
      name: 'two nodes of a Redis Cluster',
      place: async () => {
        const [first, media] = (await nodes()) as [Place, Place];
        return { ...first, shards: { media } };
      },
    });
    afterAll(clean);
  });
  const pairs = [
    [redis, secondRedis],
    [redis, postgres],
    // One process opens the folder, so it is not the one that a second application opens.
    [embedded, postgres],
    [memory, memory],
  ] as const;
  for (const [openFirst, openSecond] of pairs) {
    const [first, second] = [openFirst(), openSecond()];
    const names = `${first.name} and ${second.name}`;
    describe(`${name} on ${names}`, () => {
      declareTests({
        name: names,
        place: async () => ({ ...(await first.place()), shards: { media: await second.place() } }),
      });
      afterAll(async () => {
        await first.clean();
        await second.clean();
      });
    });
  }
}

function describeEach(
  engines: readonly (() => CleanableEngine)[],
  name: string,
  declareTests: (engine: TestEngine) => void,
): void {
  for (const open of engines) {
    const { clean, ...engine } = open();
    describe(`${name} on ${engine.name}`, () => {
      declareTests(engine);
      // Declared last, because hooks run in the order of their declaration: the suite closes its applications first.
      afterAll(clean);
    });
  }
}

type CleanableEngine = TestEngine & { clean(): Promise<void> };

function redis(): CleanableEngine {
  const prefixes: string[] = [];
  const connection = () => server('TEST_REDIS_URL');
  return {
    name: 'redis',
    place: async () => remember(prefixes, { connection: connection(), prefix: freePrefix() }),
    async clean() {
      const client = new Redis(connection());
      for (const prefix of prefixes) {
        const keys = await client.keys(`${prefix}:*`);
        if (keys.length) await client.unlink(keys);
      }
      await client.quit();
    },
  };
}

/** A Redis of its own, which ends with the suite. */
function secondRedis(): CleanableEngine {
  let starting: ReturnType<typeof startRedis> | undefined;
  return {
    name: 'redis',
    async place() {
      starting ??= startRedis();
      return { connection: (await starting).url, prefix: freePrefix() };
    },
    clean: async () => (await starting)?.close(),
  };
}

/** A Redis Cluster of three nodes, which ends with the suite. Each place is on one of them. */
function redisCluster(): CleanableEngine {
  const { nodes, clean } = clusterNodes();
  return { name: 'redis', place: async () => (await nodes())[0] as Place, clean };
}

function clusterNodes() {
  let starting: ReturnType<typeof startRedisCluster> | undefined;
  return {
    /** An empty place on each node. */
    async nodes(): Promise<Place[]> {
      starting ??= startRedisCluster();
      const cluster = await starting;
      const tags = await cluster.tags(freePrefix());
      return tags.map((prefix) => ({ connection: cluster.url, prefix }));
    },
    clean: async () => (await starting)?.close(),
  };
}

function postgres(): CleanableEngine {
  const prefixes: string[] = [];
  const connection = () => server('TEST_POSTGRES_URL');
  return {
    name: 'postgres',
    place: async () => remember(prefixes, { connection: connection(), prefix: freePrefix() }),
    async clean() {
      const client = new pg.Client(connection());
      await client.connect();
      for (const prefix of prefixes) await client.query(`DROP SCHEMA IF EXISTS ${prefix} CASCADE`);
      await client.end();
    },
  };
}

function embedded(): CleanableEngine {
  // The reaper removes the folder when this process ends, even by SIGKILL.
  let managed: Promise<ManagedProcess> | undefined;
  return {
    name: 'embedded',
    async place() {
      managed ??= createManagedProcess();
      const { folder } = await managed;
      return { connection: `pglite:${join(folder, freePrefix())}`, prefix: freePrefix() };
    },
    clean: async () => (await managed)?.close(),
  };
}

function memory(): CleanableEngine {
  return {
    name: 'memory',
    // The name is shared within the process, as a server is.
    place: async () => ({ connection: `memory:${freePrefix()}`, prefix: freePrefix() }),
    clean: async () => undefined,
  };
}

function remember(prefixes: string[], place: Place): Place {
  prefixes.push(place.prefix);
  return place;
}

function server(variable: 'TEST_REDIS_URL' | 'TEST_POSTGRES_URL'): string {
  const url = process.env[variable];
  if (!url)
    throw new Error(`${variable} is not set: only suites in test/contract, test/limits and test/e2e get a server.`);
  return url;
}
