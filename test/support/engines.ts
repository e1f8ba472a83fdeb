import { afterAll, describe } from '@jest/globals';
import { Redis } from 'ioredis';
import { join } from 'node:path';
import pg from 'pg';
import { createManagedProcess, type ManagedProcess } from './managed-process.js';
import { freePrefix } from './servers.js';

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
  describeEach([redis, postgres, embedded, memory], name, declareTests);
}

/** Declares one suite for every database that BullMQ runs on, for tests of BullMQ's own objects and of its messages. */
export function describeEachDatabase(name: string, declareTests: (engine: TestEngine) => void): void {
  describeEach([redis, postgres, embedded], name, declareTests);
}

/** Declares one suite for PostgreSQL, as a server and inside of the process, for tests of BullMQ's tables. */
export function describeEachPostgres(name: string, declareTests: (engine: TestEngine) => void): void {
  describeEach([postgres, embedded], name, declareTests);
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
