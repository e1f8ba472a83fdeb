import { afterAll, describe } from '@jest/globals';
import { Redis } from 'ioredis';
import { join } from 'node:path';
import pg from 'pg';
import { startGuard } from './guard.js';
import { freePrefix } from './servers.js';

/** Where a test's tasks wait: nobody else has anything there. Using it again finds the same tasks. */
export interface Place {
  connection: string;
  prefix: string;
}

export interface Engine {
  name: 'redis' | 'postgres' | 'embedded';
  /** A fresh place; whatever a suite leaves in it is removed after the suite. */
  place(): Promise<Place>;
}

/**
 * One suite, every engine: `describeEachEngine('retries', (engine) => test(…))` declares `retries on redis`, `… on
 * postgres` and `… on embedded`.
 */
export function describeEachEngine(name: string, declareTests: (engine: Engine) => void): void {
  for (const open of [redis, postgres, embedded]) {
    const { clean, ...engine } = open();
    describe(`${name} on ${engine.name}`, () => {
      declareTests(engine);
      // After the suite's own hooks, which run in the order of their declaration.
      afterAll(clean);
    });
  }
}

type CleanableEngine = Engine & { clean(): Promise<void> };

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
  // The guard's folder goes with this process, however that ends.
  let guard: ReturnType<typeof startGuard> | undefined;
  return {
    name: 'embedded',
    async place() {
      guard ??= startGuard();
      const { folder } = await guard;
      return { connection: `pglite:${join(folder, freePrefix())}`, prefix: freePrefix() };
    },
    clean: async () => (await guard)?.close(),
  };
}

function remember(prefixes: string[], place: Place): Place {
  prefixes.push(place.prefix);
  return place;
}

function server(variable: 'TEST_REDIS_URL' | 'TEST_POSTGRES_URL'): string {
  const url = process.env[variable];
  if (!url) throw new Error(`${variable} is not set: this suite belongs into test/contract or test/e2e.`);
  return url;
}
