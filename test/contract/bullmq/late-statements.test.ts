import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import pg from 'pg';
import { chain, group, Task, TaskSchedules, type TaskQueueOptions, type Tasks } from 'nestjs-task-queue';
import { boot, type Booted } from '../../support/boot.js';
import { createDatabase } from '../../support/servers.js';
import { until } from '../../support/until.js';

@Injectable()
class Work {
  @Task()
  async pay(amount: number): Promise<number> {
    return amount;
  }
}

/** Redis has no locks, and the embedded database has one client. */
describe.each([
  ['connections of its own', (url: string) => url],
  ['connections with a limit for queries', (url: string) => ({ connectionString: url, query_timeout: 300 })],
  ['the pool of the application', (url: string) => new pg.Pool({ connectionString: url, max: 30 })],
])('calls that wait for a locked table, on %s', (_, connectionOf) => {
  let database: Awaited<ReturnType<typeof createDatabase>>;
  let connection: TaskQueueOptions['connection'];
  let admin: pg.Client;
  let booted: Booted;
  let work: Tasks<Work>;

  beforeAll(async () => {
    database = await createDatabase(process.env['TEST_POSTGRES_URL'] as string);
    connection = connectionOf(database.url);
    admin = new pg.Client(database.url);
    await admin.connect();
    booted = await boot({ connection, prefix: 'locked', enqueueTimeout: '1s', role: 'producer' }, [Work]);
    work = booted.queue.of(Work);
  });
  afterAll(async () => {
    await booted.app.close();
    if (connection instanceof pg.Pool) await connection.end();
    await admin.end();
    await database.drop();
  });

  const count = async (text: string) => Number((await admin.query<{ count: string }>(text)).rows[0]?.count);
  const othersAtWork = () =>
    count(`SELECT count(*) FROM pg_stat_activity
      WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle' AND backend_type = 'client backend'`);

  it('have stored nothing once the table is free, if they were told that they failed', async () => {
    await work.pay.enqueue(0);
    const before = await count('SELECT count(*) FROM locked.job');
    const metaBefore = await count('SELECT count(*) FROM locked.meta');
    await admin.query('BEGIN; LOCK TABLE locked.job, locked.meta IN ACCESS EXCLUSIVE MODE');
    const pay = work.pay.signature(2);
    const calls = [
      work.pay.enqueue(1),
      work.pay.enqueueMany([[1], [2]]),
      group([pay, pay]).enqueue(),
      chain(pay, pay.immutable()).enqueue(),
      booted.app.get(TaskSchedules).upsert('monthly', { task: 'Work.pay', cron: '0 0 1 * *', args: [1] }),
    ];
    for (const { status, reason } of (await Promise.allSettled(calls)) as PromiseRejectedResult[])
      expect([status, (reason as { code?: string }).code]).toEqual(['rejected', 'ENGINE_UNAVAILABLE']);
    await admin.query('COMMIT');
    await until(async () => (await othersAtWork()) === 0, 'no statement of the calls runs any more');
    expect(await count('SELECT count(*) FROM locked.job')).toBe(before);
    expect(await count('SELECT count(*) FROM locked.meta')).toBe(metaBefore);
    await expect(work.pay.enqueue(3)).resolves.toMatchObject({ initialState: 'queued' });
  });
});
