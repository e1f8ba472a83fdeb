import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { TaskAdmin } from 'nestjs-task-queue';
import { boot, type Booted } from '../../support/boot.js';
import { freePrefix } from '../../support/servers.js';

describe('the names of queues on Redis', () => {
  const connection = process.env['TEST_REDIS_URL'] as string;
  const prefix = freePrefix();
  let redis: Redis;
  let booted: Booted;

  beforeAll(async () => {
    redis = new Redis(connection);
    booted = await boot({ connection, prefix, role: 'producer' });
  });
  afterAll(async () => {
    await booted.app.close();
    await redis.unlink(await redis.keys(`${prefix}:*`));
    await redis.quit();
  });

  it('are found once by the keys of an earlier version, which did not store them', async () => {
    const work = booted.queue.of<() => void>('Work.any');
    await work.with({ queue: 'mail' }).enqueue();
    await work.with({ queue: 'reports' }).enqueue();
    const names = `${prefix}:_queues:names`;
    expect((await redis.smembers(names)).toSorted()).toEqual(['mail', 'reports']);
    await redis.del(names);
    const shown = async () => (await booted.app.get(TaskAdmin).tasks()).items.map(({ queue }) => queue);
    expect(await shown()).toEqual(['mail', 'reports']);
    expect((await redis.smembers(names)).toSorted()).toEqual(['*', 'mail', 'reports']);
    await redis.srem(names, 'mail');
    expect(await shown()).toEqual(['reports']);
  });

  it('are those that were stored where the user may not look for keys', async () => {
    const user = freePrefix();
    await redis.acl('SETUSER', user, 'on', '>secret', '~*', '&*', '+@all', '-scan');
    const url = new URL(connection);
    [url.username, url.password] = [user, 'secret'];
    const other = await boot({ connection: url.href, prefix: `${prefix}:acl`, role: 'producer' });
    try {
      await other.queue.of<() => void>('Work.any').enqueue();
      expect((await other.app.get(TaskAdmin).queues()).map(({ name }) => name)).toEqual(['default']);
    } finally {
      await other.app.close();
      await redis.acl('DELUSER', user);
    }
  });
});
