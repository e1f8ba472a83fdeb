import { Redis } from 'ioredis';
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { TestProcess } from '../support/test-process.js';
import type { Server, World } from '../support/world.js';

export type Failover = 'planned' | 'unplanned';

/** Milliseconds between two groups of calls. */
const BEAT = 50;
/** Milliseconds of load before and after the failover. */
const BEFORE = 1_500;
const AFTER = 2_500;
/** Milliseconds that a result may take. */
const PATIENCE = 40_000;

/**
 * A replica takes the place of the primary under load, at the same address. After a planned failover, and after a primary
 * died that had waited for its replica, every task that was enqueued has its result. A Redis does not wait for its
 * replica: what the replica did not have yet is lost, and its callers are told so.
 */
export async function failover(world: World, how: Failover, { each }: { each: number }): Promise<void> {
  const replica = await world.startReplica();
  const steps = world.engine === 'redis' ? redisSteps(world.server, replica) : postgresSteps(world.server, replica);
  await steps.waitForReplica(world);

  const common = { connection: await world.proxied(), abandonedAfter: '8s' } as const;
  const web = await world.start({ ...common, role: 'producer' });
  await world.start({ ...common, role: 'worker' });
  const load = startLoad(world, web, each);
  await sleep(BEFORE);
  await steps[how]();
  const proxy = await world.proxy;
  proxy.leadTo(replica.port);
  await sleep(AFTER);
  const ids = await load.stop();
  assert(ids.length > 0);

  const answers = await Promise.all(ids.map((id) => web.ask.result(id, PATIENCE)));
  const unknown = ids.filter((_, index) => answers[index]?.error?.code === 'TASK_NOT_FOUND');
  const others = answers.flatMap(({ error }) =>
    error === undefined || error.code === 'TASK_NOT_FOUND' ? [] : [error],
  );
  assert.deepEqual(others, []);
  if (how === 'unplanned' && world.engine === 'redis') world.failedOnPurpose.push(...unknown);
  else assert.deepEqual(unknown, []);
  // The new primary takes and runs tasks.
  const after = await world.enqueue(web, 'slow', [1], 20);
  assert.equal(after.length, 20);
  await world.finished(after);
}

/** Enqueues tasks all the time. Calls may fail during the failover. */
export function startLoad(world: World, web: TestProcess, each: number) {
  const load = { stopped: false };
  const ids: string[] = [];
  const enqueueing = (async () => {
    while (!load.stopped) {
      const [stored] = await Promise.all([world.enqueueMany(web, 'slow', [5], each), sleep(BEAT)]);
      ids.push(...stored);
    }
    return ids;
  })();
  return {
    /** The ids of the tasks that were stored until now, in their order. */
    ids,
    /** Returns the ids of the tasks that were stored. */
    async stop(): Promise<string[]> {
      load.stopped = true;
      return await enqueueing;
    },
  };
}

type Steps = Record<Failover, () => Promise<void>> & { waitForReplica(world: World): Promise<void> };

function redisSteps(primary: Server, replica: Server): Steps {
  const withClient = async (server: Server, use: (client: Redis) => Promise<unknown>) => {
    const client = new Redis(server.url);
    client.on('error', () => undefined);
    try {
      await use(client);
    } finally {
      client.disconnect();
    }
  };
  return {
    waitForReplica: (world) =>
      withClient(replica, (client) =>
        world.until(
          async () => (await client.info('replication')).includes('master_link_status:up'),
          'the replica has all',
        ),
      ),
    // The primary takes no writes until the replica has everything, then they change places.
    planned: () =>
      withClient(primary, async (client) => {
        await client.call('FAILOVER', 'TO', '127.0.0.1', `${replica.port}`);
        while (!(await client.info('replication')).includes('role:slave')) await sleep(5);
      }),
    async unplanned() {
      await primary.kill();
      await withClient(replica, (client) => client.replicaof('NO', 'ONE'));
    },
  };
}

function postgresSteps(primary: Server, replica: Server): Steps {
  const query = async (server: Server, ...statements: string[]) => {
    const client = new pg.Client(server.url);
    await client.connect();
    try {
      for (const statement of statements) await client.query(statement);
    } finally {
      await client.end();
    }
  };
  const promote = () =>
    query(replica, 'SELECT pg_promote()', 'ALTER SYSTEM RESET synchronous_standby_names', 'SELECT pg_reload_conf()');
  return {
    // From now on a commit waits until the replica has stored it.
    async waitForReplica() {
      await query(primary, "ALTER SYSTEM SET synchronous_standby_names = '*'", 'SELECT pg_reload_conf()');
    },
    async planned() {
      await primary.stop();
      await promote();
    },
    async unplanned() {
      await primary.kill();
      await promote();
    },
  };
}
