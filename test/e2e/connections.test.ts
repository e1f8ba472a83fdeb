import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Redis } from 'ioredis';
import { Task, type TaskQueueOptions } from 'nestjs-task-queue';
import pg from 'pg';
import { boot } from '../support/boot.js';
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
  /** Connections that are not the one that asks. */
  let count: () => Promise<number>;
  let leave: () => Promise<unknown>;

  beforeAll(async () => {
    server = await (engine === 'redis' ? startRedis() : startPostgres());
    if (engine === 'redis') {
      const client = new Redis(server.url);
      count = async () =>
        String(await client.client('LIST'))
          .trim()
          .split('\n').length - 1;
      leave = () => client.quit();
    } else {
      const client = new pg.Client(server.url);
      await client.connect();
      const text = `SELECT count(*)::int FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`;
      count = async () => (await client.query<{ count: number }>(text)).rows[0]?.count ?? NaN;
      leave = () => client.end();
    }
  });
  afterAll(async () => {
    await leave();
    await server.close();
  });

  /** PostgreSQL's pool grows with use, so it is kept small. */
  const POOL = 2;
  const start = (options: TaskQueueOptions) =>
    boot(
      {
        connection: engine === 'redis' ? server.url : { connectionString: server.url, max: POOL },
        ...options,
      },
      [Work],
    );

  it('are as many as the README says, and none is left', async () => {
    // The first start makes the tables, on a connection of its own.
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
    // Commands, messages, one for each of three queues; and on Redis one that its workers share.
    const ofWorker = (await count()) - ofProducer;
    if (engine === 'redis') expect(ofWorker).toBe(6);
    else expect(ofWorker).toBeLessThanOrEqual(POOL + 1 + 3);

    await worker.app.close();
    await producer.app.close();
    await until(async () => (await count()) === 0, 'all connections are closed');
  });
});
