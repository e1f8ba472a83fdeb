import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Redis } from 'ioredis';
import { Task, type TaskQueueOptions } from 'nestjs-task-queue';
import pg from 'pg';
import { boot } from '../support/boot.js';
import { startHealthApp } from '../support/health-app.js';
import { until } from '../support/until.js';
import { startPostgres, startRedis } from '../support/servers.js';

/** Tasks on three queues. */
@Injectable()
class Work {
  @Task()
  async one(): Promise<number> {
    return 1;
  }

  @Task({ queue: 'second' })
  async two(): Promise<void> {}

  @Task({ queue: 'third' })
  async three(): Promise<void> {}
}

describe.each(['redis', 'postgres'] as const)('connections to %s', (engine) => {
  let server: Awaited<ReturnType<typeof startRedis>>;
  /** The number of connections to the server, without the one that counts. On PostgreSQL only those of a role, if one is given. */
  let count: (role?: string) => Promise<number>;
  let disconnect: () => Promise<unknown>;

  beforeAll(async () => {
    server = await (engine === 'redis' ? startRedis() : startPostgres());
    if (engine === 'redis') {
      const client = new Redis(server.url);
      count = async () =>
        String(await client.client('LIST'))
          .trim()
          .split('\n').length - 1;
      disconnect = () => client.quit();
    } else {
      const client = new pg.Client(server.url);
      await client.connect();
      const text = `SELECT count(*)::int FROM pg_stat_activity WHERE backend_type = 'client backend'
        AND pid <> pg_backend_pid() AND application_name = COALESCE($1, application_name)`;
      count = async (role) => (await client.query<{ count: number }>(text, [role])).rows[0]?.count ?? NaN;
      disconnect = () => client.end();
    }
  });
  afterAll(async () => {
    await disconnect();
    await server.close();
  });

  /** The size of PostgreSQL's pool. It is small, because the pool grows with use. */
  const POOL = 2;
  const start = (options: TaskQueueOptions) =>
    boot(
      {
        connection:
          engine === 'redis'
            ? server.url
            : { connectionString: server.url, max: POOL, application_name: options.role ?? 'both' },
        ...options,
      },
      [Work],
    );

  it('an application opens as many connections as docs/engines.md says, and closes all of them', async () => {
    // The first start makes the tables, on one more connection.
    await (await start({})).app.close();
    const producer = await start({ role: 'producer' });
    const handle = await producer.queue.of(Work).one.enqueue();
    const commands = engine === 'redis' ? 1 : POOL;
    expect(await count()).toBeLessThanOrEqual(commands);
    await expect(handle.result({ timeout: 50 })).rejects.toMatchObject({ code: 'RESULT_TIMEOUT' });
    const ofProducer = await count();
    expect(ofProducer).toBeLessThanOrEqual(commands + 1);

    const worker = await start({ role: 'worker' });
    await expect(handle.result({ timeout: '10s' })).resolves.toBe(1);
    // On Redis one for commands, one for messages, one for each of three queues, for that of workflows and for that of acts, and one
    // that the workers share. On PostgreSQL one for everything that listens.
    if (engine === 'redis') expect((await count()) - ofProducer).toBe(8);
    // The pool of the producer may have grown since.
    else for (const role of ['producer', 'worker']) expect(await count(role)).toBeLessThanOrEqual(POOL + 1);

    await worker.app.close();
    await producer.app.close();
    await until(async () => (await count()) === 0, 'all connections are closed');
  });

  it('health checks open no connection', async () => {
    const connection = engine === 'redis' ? server.url : { connectionString: server.url, max: POOL };
    const { app, queue, probe } = await startHealthApp({ connection }, [Work]);
    await Promise.all(
      Array.from({ length: 20 }, () =>
        queue
          .of(Work)
          .one.enqueue()
          .then((handle) => handle.result()),
      ),
    );
    const before = await count();
    for (let round = 0; round < 3; round++) {
      const answers = await Promise.all(
        (['engine', 'consuming', 'backlog', 'schedules'] as const).map((name) =>
          probe(name, { queue: 'second', queues: name === 'consuming' ? ['default', 'elsewhere'] : [], max: 5 }),
        ),
      );
      expect(answers.map(({ status }) => status)).toEqual([200, 503, 200, 200]);
    }
    expect(await count()).toBeLessThanOrEqual(before);
    await app.close();
    await until(async () => (await count()) === 0, 'all connections are closed');
  });
});
