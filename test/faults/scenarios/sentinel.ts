import { Redis } from 'ioredis';
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { startSentinel } from '../../support/front-servers.js';
import { startRedis } from '../../support/servers.js';
import type { Server, World } from '../support/world.js';
import { startLoad, type Failover } from './failover.js';

const SENTINELS = 3;
const REPLICAS = 2;
/** Milliseconds of load before the failover and after it. */
const BEFORE = 1_000;
const AFTER = 2_000;
/** Milliseconds that a result may take. */
const PATIENCE = 40_000;

/**
 * Sentinels replace the primary under load. A planned failover loses no task: the library leaves the primary before the
 * replica is promoted. A primary that dies loses what its replicas did not have yet. Everything that was stored after
 * the failover is there in both cases.
 */
export async function sentinelFailover(world: World, how: Failover, { each }: { each: number }): Promise<void> {
  const { server } = world;
  const replicas = await Promise.all(Array.from({ length: REPLICAS }, () => startRedis({ replicaOf: server })));
  await withClient(server, (client) =>
    world.until(
      async () => (await client.info('replication')).match(/state=online/g)?.length === REPLICAS,
      'the replicas follow the primary',
    ),
  );
  const sentinels: Server[] = [];
  for (let count = 0; count < SENTINELS; count++) sentinels.push(await startSentinel(server.port, { quorum: 2 }));
  try {
    await world.until(() => everySentinel(sentinels, knowsAll), 'the sentinels know each other and the replicas');
    const connection = { name: 'primary', sentinels: sentinels.map(({ port }) => ({ host: '127.0.0.1', port })) };
    const common = { connection, abandonedAfter: '8s', enqueueTimeout: '8s' } as const;
    const web = await world.start({ ...common, role: 'producer' });
    await world.start({ ...common, role: 'worker' });
    const load = startLoad(world, web, each);
    await sleep(BEFORE);
    if (how === 'unplanned') await server.kill();
    else await withClient(sentinels[0] as Server, (client) => client.call('SENTINEL', 'FAILOVER', 'primary'));
    await world.until(
      () => everySentinel(sentinels, ({ port }) => Number(port) !== server.port),
      'all sentinels name another primary',
    );
    const storedBefore = load.ids.length;
    await sleep(AFTER);
    const ids = await load.stop();
    assert(ids.length > storedBefore);

    const answers = await Promise.all(ids.map((id) => web.ask.result(id, PATIENCE)));
    const unknown = ids.filter((_, index) => answers[index]?.error?.code === 'TASK_NOT_FOUND');
    if (how === 'unplanned') world.failedOnPurpose.push(...unknown);
    else assert.deepEqual(unknown, []);
    const others = answers.flatMap(({ error }) =>
      error === undefined || error.code === 'TASK_NOT_FOUND' ? [] : [error],
    );
    assert.deepEqual(others, []);
    const late = new Set(ids.slice(storedBefore));
    assert.deepEqual(
      unknown.filter((id) => late.has(id)),
      [],
    );
  } finally {
    await Promise.all([...sentinels, ...replicas].map((one) => one.close()));
  }
}

function knowsAll(state: Record<string, string | undefined>): boolean {
  return state['num-slaves'] === `${REPLICAS}` && state['num-other-sentinels'] === `${SENTINELS - 1}`;
}

/** Whether a condition is true of what each sentinel knows about the primary. */
async function everySentinel(
  sentinels: readonly Server[],
  condition: (state: Record<string, string | undefined>) => boolean,
): Promise<boolean> {
  const states = await Promise.all(
    sentinels.map((sentinel) =>
      withClient(sentinel, async (client) => {
        const fields = (await client.call('SENTINEL', 'MASTER', 'primary')) as string[];
        return Object.fromEntries(fields.flatMap((name, at) => (at % 2 === 0 ? [[name, fields[at + 1]]] : [])));
      }),
    ),
  );
  return states.every(condition);
}

async function withClient<T>(server: Server, use: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis(server.url);
  client.on('error', () => undefined);
  try {
    return await use(client);
  } finally {
    client.disconnect();
  }
}
