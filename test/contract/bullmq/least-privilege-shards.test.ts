import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import pg from 'pg';
import { TaskAdmin, type TaskQueueOptions } from 'nestjs-task-queue';
import { boot, type Booted } from '../../support/boot.js';
import { commandLine } from '../../support/command-line.js';
import { documentedAcl } from '../../support/documented-acl.js';
import { startRedisCluster } from '../../support/redis-cluster.js';
import { createDatabase, freePrefix } from '../../support/servers.js';
import { usesEverything, workIn } from './everything.js';

/** The roles and users of docs/running.md, where the queues of an application are in several shards. */

const QUEUES = ['default', 'films', 'reports'] as const;
const WORK = { default: workIn('default'), films: workIn('films'), reports: workIn('reports') };

let running: Booted[] = [];
afterEach(async () => {
  await Promise.all(running.map(({ app }) => app.close()));
  running = [];
});

/** Boots the web and the worker, each with its places, and uses everything in each queue. */
async function useAll(
  places: Readonly<Record<'web' | 'worker', Pick<TaskQueueOptions, 'connection' | 'prefix' | 'shards'>>>,
  queues: readonly (typeof QUEUES)[number][],
): Promise<void> {
  const inShards = Object.fromEntries(
    queues
      .filter((queue) => queue !== 'default')
      .flatMap((queue) => [queue, `${queue}-later`].map((name) => [name, { shard: queue }])),
  );
  const classes = queues.map((queue) => WORK[queue]);
  const options = { migrations: 'check', queues: inShards } as const;
  const worker = await boot({ ...places.worker, ...options, role: 'worker' }, classes);
  running.push(worker);
  const web = await boot({ ...places.web, ...options, role: 'producer' }, classes);
  running.push(web);
  for (const queue of queues) await usesEverything(web, worker, WORK[queue], queue);
  const shards = await web.app.get(TaskAdmin).shards();
  expect(shards.map(({ name, reachable }) => [name, reachable])).toEqual(queues.map((queue) => [queue, true]));
}

describe('shards on two databases of PostgreSQL and a Redis', () => {
  const [owner, web, worker] = [freePrefix(), freePrefix(), freePrefix()];
  const prefix = freePrefix();
  const redisUrl = process.env['TEST_REDIS_URL'] as string;
  const server = new pg.Client(process.env['TEST_POSTGRES_URL']);
  const admin = new Redis(redisUrl);
  let databases: Awaited<ReturnType<typeof createDatabase>>[];
  const as = (user: string, url: string) => Object.assign(new URL(url), { username: user, password: 'secret' }).href;
  const placesOf = (user: string) => {
    const [first, films] = databases.map(({ url }) => as(user, url)) as [string, string];
    return {
      connection: first,
      prefix,
      shards: { films: { connection: films }, reports: { connection: as(user, redisUrl) } },
    };
  };

  beforeAll(async () => {
    await server.connect();
    for (const role of [owner, web, worker]) await server.query(`CREATE ROLE ${role} LOGIN PASSWORD 'secret'`);
    databases = await Promise.all([1, 2].map(() => createDatabase(process.env['TEST_POSTGRES_URL'] as string)));
    for (const { url } of databases)
      await server.query(`GRANT CREATE ON DATABASE ${new URL(url).pathname.slice(1)} TO ${owner}`);
    await admin.call('ACL', 'SETUSER', web, ...documentedAcl('docs/running.md', 'web', prefix, 'secret'));
    await admin.call('ACL', 'SETUSER', worker, ...documentedAcl('docs/running.md', 'worker', prefix, 'secret'));
  });
  afterAll(async () => {
    for (const { drop } of databases) await drop();
    for (const role of [owner, web, worker]) await server.query(`DROP ROLE ${role}`);
    await server.end();
    const keys = await admin.keys(`${prefix}:*`);
    if (keys.length > 0) await admin.unlink(keys);
    await admin.call('ACL', 'DELUSER', web, worker);
    await admin.quit();
  });

  it('the application does everything in each of them with what one migrate --grant for each role gives', async () => {
    const { connection, shards } = placesOf(owner);
    const env = {
      TASK_QUEUE_URL: connection,
      TASK_QUEUE_PREFIX: prefix,
      TASK_QUEUE_SHARDS: `films=${shards.films.connection} reports=${as(web, redisUrl)}`,
    };
    for (const role of [web, worker]) {
      const migrated = await commandLine(['migrate', '--grant', role], { env });
      expect(migrated).toMatchObject({ code: 0, err: '' });
      expect(migrated.out.match(new RegExp(`The role ${role} may use the schema`, 'g'))).toHaveLength(2);
      expect(migrated.out).not.toContain('secret');
    }
    await useAll({ web: placesOf(web), worker: placesOf(worker) }, QUEUES);
  }, 60_000);

  it('a shard whose tables the role may not use is named with the command that lets it', async () => {
    const [, second] = databases as [unknown, { url: string }];
    const client = new pg.Client(second.url);
    await client.connect();
    await client.query(
      `REVOKE ALL ON ALL TABLES IN SCHEMA ${prefix} FROM ${web}; REVOKE ALL ON SCHEMA ${prefix} FROM ${web}`,
    );
    await client.end();
    const refused = boot({
      ...placesOf(web),
      queues: { films: { shard: 'films' }, reports: { shard: 'reports' } },
      migrations: 'check',
    });
    await expect(refused).rejects.toMatchObject({
      code: 'CONFIGURATION',
      message: expect.stringMatching(/npx nestjs-task-queue migrate/),
    });
  }, 60_000);
});

describe('shards on the nodes of a Redis Cluster', () => {
  let cluster: Awaited<ReturnType<typeof startRedisCluster>>;
  afterAll(() => cluster.close());

  it('users that may use the keys of the three tags do everything in each of them', async () => {
    cluster = await startRedisCluster();
    const [prefix, films, reports] = (await cluster.tags('tasks')) as [string, string, string];
    const others = [films, reports].flatMap((tag) => [`~${tag}:*`, `&${tag}:*`]);
    for (const { host, port } of cluster.nodes) {
      const admin = new Redis(port, host);
      for (const user of ['web', 'worker'] as const)
        await admin.call(
          'ACL',
          'SETUSER',
          user,
          ...documentedAcl('docs/running.md', user, prefix, 'secret'),
          ...others,
        );
      await admin.quit();
    }
    const placeOf = (user: string) => ({
      connection: cluster.url.replace('//', `//${user}:secret@`),
      prefix,
      shards: { films: { prefix: films }, reports: { prefix: reports } },
    });
    await useAll({ web: placeOf('web'), worker: placeOf('worker') }, QUEUES);
  }, 90_000);
});
