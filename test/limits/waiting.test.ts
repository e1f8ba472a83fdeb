import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Redis } from 'ioredis';
import pg from 'pg';
import { Task, TaskAdmin, type Tasks } from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { freePrefix } from '../support/servers.js';

const COUNT = 3_000;

@Injectable()
class Work {
  @Task()
  async echo(value: number): Promise<number> {
    return value;
  }

  @Task()
  async fail(): Promise<void> {
    throw new Error('no');
  }
}

/** What callers in the same process ask for takes little from its workers. */
describe.each([
  ['redis', process.env['TEST_REDIS_URL'] ?? ''],
  ['postgres', process.env['TEST_POSTGRES_URL'] ?? ''],
])('thousands of callers at once on %s', (_, connection) => {
  const prefix = freePrefix();
  let booted: Booted;
  let work: Tasks<Work>;

  beforeAll(async () => {
    booted = await boot({ connection, prefix, queues: { default: { concurrency: 50 } } }, [Work]);
    work = booted.queue.of(Work);
  });
  afterAll(async () => {
    await booted.app.close();
    if (connection.startsWith('redis')) {
      const client = new Redis(connection);
      const keys = await client.keys(`${prefix}:*`);
      if (keys.length > 0) await client.unlink(keys);
      await client.quit();
    } else {
      const client = new pg.Client(connection);
      await client.connect();
      await client.query(`DROP SCHEMA IF EXISTS ${prefix} CASCADE`);
      await client.end();
    }
  });

  it(`get the results of ${COUNT} tasks that come due at once within 20 s`, async () => {
    const at = new Date(Date.now() + 3_000);
    const values = Array.from({ length: COUNT }, (__, value) => value);
    const handles = await work.echo.with({ delay: at }).enqueueMany(values.map((value) => [value] as const));
    const results = handles.map((handle) => handle.result({ timeout: '25s' }));
    expect(await Promise.all(results)).toEqual(values);
    expect(Date.now() - at.getTime()).toBeLessThan(20_000);
  });

  it(`cancel ${2 * COUNT} waiting tasks at once within 20 s`, async () => {
    const handles = await work.echo
      .with({ queue: 'consumed-by-nobody' })
      .enqueueMany(Array.from({ length: 2 * COUNT }, (__, value) => [value] as const));
    const start = performance.now();
    const ends = await Promise.all(handles.map((handle) => handle.cancel()));
    expect(performance.now() - start).toBeLessThan(20_000);
    expect(ends.every(({ state }) => state === 'cancelled')).toBe(true);
  });

  it(`run ${COUNT} failed tasks again at once, and forget them at once, each within a minute`, async () => {
    const handles = await work.fail.enqueueMany(Array.from({ length: COUNT }, () => []));
    await Promise.all(handles.map((handle) => handle.result({ timeout: '50s' }).catch(() => undefined)));
    await booted.app.get(TaskAdmin).pause('default');
    let start = performance.now();
    const again = await Promise.all(handles.map((handle) => handle.retry()));
    expect(performance.now() - start).toBeLessThan(60_000);
    expect(again.filter(({ state }) => state !== 'queued')).toEqual([]);
    // The worker has its connections meanwhile.
    await booted.app.get(TaskAdmin).resume('default');
    await Promise.all(handles.map((handle) => handle.result({ timeout: '50s' }).catch(() => undefined)));
    start = performance.now();
    const forgotten = await Promise.all(handles.map((handle) => handle.forget()));
    expect(performance.now() - start).toBeLessThan(60_000);
    expect(forgotten.filter((isGone) => !isGone)).toEqual([]);
  }, 180_000);
});
