import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Redis } from 'ioredis';
import { Task, TaskContext, TaskSchedules, type Tasks } from 'nestjs-task-queue';
import type { Engine } from '../../../lib/engine/engine.js';
import { ENGINE } from '../../../lib/task-queue-tokens.js';
import { boot, type Booted } from '../../support/boot.js';
import { commandLine } from '../../support/command-line.js';
import { documentedAcl } from '../../support/documented-acl.js';
import { startHealthApp } from '../../support/health-app.js';
import { LogLines } from '../../support/log-lines.js';
import { freePrefix } from '../../support/servers.js';
import { until } from '../../support/until.js';

@Injectable()
class Work {
  constructor(private readonly task: TaskContext) {}

  @Task()
  async echo(value: string): Promise<string> {
    return value;
  }

  @Task()
  async endless(): Promise<void> {
    await new Promise((_, reject) =>
      this.task.signal.addEventListener('abort', () => reject(this.task.signal.reason as Error)),
    );
  }
}

const prefix = freePrefix();
const server = process.env['TEST_REDIS_URL'] ?? '';
const user = (name: string) => ({ name: `${prefix}_${name}`, password: `${prefix}-${name}` });
const [app, other, deaf] = [user('app'), user('other'), user('deaf')];
let admin: Redis;
let worker: Booted;
let web: Booted;
let work: Tasks<Work>;

function urlOf({ name, password }: { name: string; password: string }): string {
  return Object.assign(new URL(server), { username: name, password }).href;
}

beforeAll(async () => {
  admin = new Redis(server);
  await admin.call('ACL', 'SETUSER', app.name, ...documentedAcl('docs/running.md', 'worker', prefix, app.password));
  const rights = ['resetchannels', '~other:*', '+@all', '-@dangerous', '+info'];
  await admin.call('ACL', 'SETUSER', other.name, 'on', `>${other.password}`, ...rights);
  worker = await boot({ connection: urlOf(app), prefix }, [Work]);
  web = await boot({ connection: urlOf(app), prefix, role: 'producer' });
  work = { echo: web.queue.of<Work['echo']>('Work.echo'), endless: web.queue.of<Work['endless']>('Work.endless') };
});
afterAll(async () => {
  await Promise.all([web?.app.close(), worker?.app.close()]);
  const keys = await admin.keys(`${prefix}:*`);
  if (keys.length > 0) await admin.unlink(keys);
  await admin.call('ACL', 'DELUSER', app.name, other.name, deaf.name);
  await admin.quit();
});

it('an ACL user with the keys and channels of the prefix can do all that an application does', async () => {
  expect(await (await work.echo.enqueue('hello')).result({ timeout: '15s' })).toBe('hello');
  const handle = await work.endless.with({ headers: { a: 'b' } }).enqueue();
  for await (const { state } of handle.updates()) if (state === 'running') break;
  await handle.cancel();
  await expect(handle.result({ timeout: '15s' })).rejects.toMatchObject({ code: 'TASK_CANCELLED' });
  expect(await (await work.echo.with({ delay: '1h' }).enqueue('later')).cancel()).toMatchObject({ state: 'cancelled' });
  const schedules = worker.app.get(TaskSchedules);
  await schedules.upsert('hourly', { task: 'Work.echo', args: ['x'], every: '1h' });
  expect(await (await schedules.runNow('hourly')).result({ timeout: '15s' })).toBe('x');
  await schedules.remove('hourly');
});

it('a user that lacks a right: the caller and the log say which, and nothing has to be started again', async () => {
  const log = new LogLines();
  const own = await boot({ connection: urlOf(app), prefix, enqueueTimeout: '1s', role: 'producer' }, [], log);
  const refused = own.queue.of<Work['echo']>('Work.echo');
  log.lines.length = 0;
  await admin.call('ACL', 'SETUSER', app.name, '-@scripting');
  try {
    await expect(refused.enqueue('refused')).rejects.toMatchObject({
      code: 'ENGINE_UNAVAILABLE',
      message: expect.stringMatching(
        /^enqueue to "default": Redis at \S+ refuses it \(NOPERM .*, tried for 1000 ms\)\.$/,
      ),
    });
  } finally {
    await admin.call('ACL', 'SETUSER', app.name, '+@scripting');
  }
  expect(await (await refused.enqueue('allowed')).result({ timeout: '15s' })).toBe('allowed');
  const lines = log.lines.filter((line) => line.startsWith('ERROR Redis at '));
  expect(lines).toEqual([
    expect.stringMatching(/^ERROR Redis at \S+ refuses .*NOPERM .*"Roles and rights" in docs\/running\.md/),
  ]);
  await own.app.close();
});

it('a health check says that a right is missing, and nothing of the server', async () => {
  const own = await startHealthApp({ connection: urlOf(app), prefix, enqueueTimeout: '1s', role: 'producer' });
  await admin.call('ACL', 'SETUSER', app.name, '-@scripting');
  try {
    const refused = async () => {
      await own.queue
        .of('Work.echo')
        .enqueue('refused')
        .catch(() => undefined);
      return (await own.probe('engine')).status === 503;
    };
    await until(refused, 'the engine is unhealthy', 30_000);
    expect((await own.probe('engine')).detail).toEqual({
      status: 'down',
      message: expect.stringMatching(/^The engine refuses what this process asks: a right is missing/),
    });
  } finally {
    await admin.call('ACL', 'SETUSER', app.name, '+@scripting');
  }
  expect(await (await own.queue.of('Work.echo').enqueue('allowed')).result({ timeout: '15s' })).toBe('allowed');
  await expect(own.probe('engine')).resolves.toMatchObject({ status: 200 });
  await own.app.close();
}, 60_000);

it('doctor names the right that a user needs to see workers of BullMQ', async () => {
  const doctor = async () => (await commandLine(['doctor', '--url', urlOf(app), '--prefix', prefix])).out;
  expect(await doctor()).not.toContain('cannot be seen');
  await admin.call('ACL', 'SETUSER', app.name, '-client|list');
  expect(await doctor()).toMatch(
    /warn +other workers +Workers of BullMQ .* cannot be seen: NOPERM[\s\S]*\+client\|list/,
  );
  // Workers look for others too: without the right they see none, and the server is not taken for unreachable.
  await expect(worker.app.get<Engine>(ENGINE).foreignWorkers(['default'])).resolves.toEqual([]);
  await admin.call('ACL', 'SETUSER', app.name, '+client|list');
});

it('a user without the channels of the prefix gets its results later, and the log says why', async () => {
  const log = new LogLines();
  await admin.call('ACL', 'SETUSER', deaf.name, ...documentedAcl('docs/running.md', 'web', prefix, deaf.password));
  await admin.call('ACL', 'SETUSER', deaf.name, 'resetchannels');
  const own = await boot({ connection: urlOf(deaf), prefix, role: 'producer' }, [], log);
  const handle = await own.queue.of<Work['echo']>('Work.echo').enqueue('late');
  expect(await handle.result({ timeout: '15s' })).toBe('late');
  const lines = log.lines.filter((line) => line.startsWith('ERROR Redis at '));
  expect(lines).toEqual([expect.stringMatching(/^ERROR Redis at \S+ refuses .*NOPERM .*channel/)]);
  await own.app.close();
});

it('a user without them can neither receive nor send messages', async () => {
  const client = new Redis(urlOf(other));
  await expect(client.subscribe(`${prefix}:bus:watchers`)).rejects.toThrow('NOPERM');
  await expect(client.publish(`${prefix}:bus:watchers`, '{}')).rejects.toThrow('NOPERM');
  client.disconnect();
});
