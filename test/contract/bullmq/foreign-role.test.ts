import { afterAll, afterEach, beforeAll, expect, it, jest } from '@jest/globals';
import { Injectable, Logger } from '@nestjs/common';
import { createHash } from 'node:crypto';
import { Task, TaskContext, TaskSchedules, type TaskHandle, type Tasks } from 'nestjs-task-queue';
import pg from 'pg';
import { PostgresBus } from '../../../lib/engine/bullmq/postgres/postgres-bus.js';
import { SUCCESS_FIELDS } from '../../../lib/engine/bullmq/jobs/job-success.js';
import { boot, type Booted } from '../../support/boot.js';
import { Gate } from '../../support/gate.js';
import { createDatabase, freePrefix } from '../../support/servers.js';
import { until } from '../../support/until.js';

/** A part of every argument, header, progress, result, reason and name, and of no name of this package. */
const MARKER = 'Xq7marker';

@Injectable()
class Work {
  static gate = new Gate();

  constructor(private readonly task: TaskContext) {}

  @Task(`${MARKER}.echo`)
  async echo(value: string): Promise<string> {
    await this.task.progress({ at: MARKER });
    await Work.gate.opened;
    return value;
  }

  @Task(`${MARKER}.endless`)
  async endless(): Promise<void> {
    await new Promise((_, reject) =>
      this.task.signal.addEventListener('abort', () => reject(this.task.signal.reason as Error)),
    );
  }
}

interface Heard {
  readonly channel: string;
  readonly payload: string;
}

/** Its own: a role hears the messages of all applications of a database, and other tests run beside this one. */
let database: Awaited<ReturnType<typeof createDatabase>>;
const prefix = freePrefix();
const role = `${prefix}_foreign`;
const channels = new Set<string>();
const heard: Heard[] = [];
const warnings: string[] = [];
let foreign: pg.Client;
let worker: Booted;
let web: Booted;
let work: Tasks<Work>;

/** On PostgreSQL a role without any privilege but CONNECT can listen on every channel, and notify on it. */
beforeAll(async () => {
  jest.spyOn(Logger.prototype, 'warn').mockImplementation((line: string) => void warnings.push(line));
  database = await createDatabase(process.env['TEST_POSTGRES_URL'] as string);
  await asAdmin(`CREATE ROLE ${role} LOGIN PASSWORD 'foreign'`);
  const url = new URL(database.url);
  Object.assign(url, { username: role, password: 'foreign' });
  foreign = new pg.Client(url.href);
  await foreign.connect();
  foreign.on('notification', ({ channel, payload = '' }) => void heard.push({ channel, payload }));
  // The names of the channels are not to be guessed. The test learns them, so that it also shows what a role could do
  // that has learnt them, for example as one that may read the statements of others.
  const subscribe = PostgresBus.prototype.subscribe;
  jest.spyOn(PostgresBus.prototype, 'subscribe').mockImplementation(async function (this: PostgresBus, name, listener) {
    const unsubscribe = await Reflect.apply(subscribe, this, [name, listener]);
    const channel = this.nameOf(name);
    await foreign.query(`LISTEN "${channel}"`);
    channels.add(channel);
    return unsubscribe;
  });
  const namespace = createHash('sha1').update(prefix).digest('base64url').slice(0, 8);
  const guessed = ['workers', 'watchers', 'schedules'].map((name) => `task_queue_${namespace}_${name}`);
  for (const channel of [...guessed, 'bullmq_jobs', 'bullmq_events']) await foreign.query(`LISTEN "${channel}"`);
  const options = { connection: database.url, prefix };
  worker = await boot(options, [Work]);
  web = await boot({ ...options, role: 'producer' });
  work = {
    echo: web.queue.of<Work['echo']>(`${MARKER}.echo`),
    endless: web.queue.of<Work['endless']>(`${MARKER}.endless`),
  };
});
afterEach(() => {
  Work.gate.open();
  heard.length = 0;
  warnings.length = 0;
});
afterAll(async () => {
  jest.restoreAllMocks();
  await Promise.all([web?.app.close(), worker?.app.close()]);
  await foreign?.end();
  await asAdmin(`DROP ROLE IF EXISTS ${role}`);
  await database.drop();
});

async function asAdmin(sql: string): Promise<void> {
  const client = new pg.Client(database.url);
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

async function reaches(handle: TaskHandle, wanted: string): Promise<void> {
  for await (const { state } of handle.updates()) if (state === wanted) return;
}

/** Sends a text on all channels of this application, as the foreign role. */
async function forge(text: string): Promise<void> {
  for (const channel of channels) await foreign.query('SELECT pg_notify($1, $2)', [channel, text]);
}

/** Waits until the applications have got everything that was sent before. */
async function settle(): Promise<void> {
  Work.gate = new Gate();
  Work.gate.open();
  await (await work.echo.enqueue('settled')).result({ timeout: '15s' });
}

it('the role cannot read the tables, and so not the secret', async () => {
  await expect(foreign.query(`SELECT * FROM ${prefix}.job`)).rejects.toMatchObject({ code: '42501' });
});

it('the role hears that there is a message, and neither ids nor content', async () => {
  Work.gate = new Gate();
  const echo = work.echo.with({ headers: { authorization: `Bearer ${MARKER}` } });
  const handles = [await echo.enqueue(`${MARKER} result`), await work.endless.enqueue()];
  const updates = (async () => {
    for await (const status of handles[0]!.updates()) if (status.state === 'running') Work.gate.open();
  })();
  await reaches(handles[1]!, 'running');
  await handles[1]!.cancel(`${MARKER} reason`);
  await updates;
  await worker.app
    .get(TaskSchedules)
    .upsert(`${MARKER}.schedule`, { task: `${MARKER}.echo`, every: '1h', args: ['x'] });
  const own = () => heard.filter(({ channel }) => channels.has(channel));
  await until(
    () => new Set(own().map(({ channel }) => channel)).size >= 4,
    () => `four channels: ${[...channels].join()}`,
  );
  for (const { channel, payload } of heard) {
    const texts = [channel, payload, Buffer.from(payload, 'base64').toString('latin1')];
    for (const text of texts) {
      expect(text).not.toContain(MARKER);
      for (const { id } of handles) expect(text).not.toContain(id.slice(id.lastIndexOf('.') + 1));
    }
    // BullMQ's own channels carry the name of a queue.
    if (!channels.has(channel)) expect(['default', '_schedules']).toContain(payload);
  }
});

it('a forged result, change, announcement or request to cancel is dropped, and each channel logs one line', async () => {
  Work.gate = new Gate();
  const handle = await work.echo.enqueue('true');
  const result = handle.result({ timeout: '15s' });
  const running = await work.endless.enqueue();
  await Promise.all([reaches(handle, 'running'), reaches(running, 'running')]);
  const now = `${Date.now()}`;
  const success = [`${MARKER}.echo`, '{"args":[]}', '{}', '0', now, now, '1', '1', now, '"forged"'];
  expect(success).toHaveLength(SUCCESS_FIELDS.length);
  const forged = [
    ...[
      { successes: [[handle.id, success]] },
      { ids: [handle.id] },
      { repeat: true },
      { type: 'cancel', id: running.id },
    ],
    { type: 'cancel', id: running.id, reason: 'forged' },
    {},
  ];
  for (const message of forged) {
    for (const text of [JSON.stringify(message), JSON.stringify({ v: 1, ...message })]) {
      await forge(text);
      await forge(Buffer.from(text).toString('base64'));
    }
  }
  await forge('');
  await forge('{"v":2}');
  // A real change passes through the same channels behind the forged ones.
  const other = await work.endless.enqueue();
  await reaches(other, 'running');
  await other.cancel();
  await expect(other.result({ timeout: '15s' })).rejects.toMatchObject({ code: 'TASK_CANCELLED' });
  expect(await running.status()).toMatchObject({ state: 'running' });
  expect(await handle.status()).toMatchObject({ state: 'running' });
  Work.gate.open();
  expect(await result).toBe('true');
  await running.cancel();
  expect(warnings.every((line) => line.includes('has no valid proof'))).toBe(true);
  expect(warnings.length).toBeGreaterThan(0);
  expect(warnings.length).toBeLessThanOrEqual(2 * channels.size);
});

it('messages that are played again change nothing, also after the task was forgotten', async () => {
  Work.gate = new Gate();
  const handle = await work.echo.enqueue('true');
  const result = handle.result({ timeout: '15s' });
  await reaches(handle, 'running');
  Work.gate.open();
  await result;
  const running = await work.endless.enqueue();
  await reaches(running, 'running');
  await running.cancel('true');
  await expect(running.result({ timeout: '15s' })).rejects.toMatchObject({ message: 'true' });
  await settle();
  const recorded = heard.filter(({ channel }) => channels.has(channel));
  expect(recorded.length).toBeGreaterThan(3);
  await running.retry();
  await reaches(running, 'running');
  await handle.forget();
  const watched = handle.result({ timeout: '10s' });
  watched.catch(() => undefined);
  for (let round = 0; round < 3; round++) {
    for (const { channel, payload } of recorded) await foreign.query('SELECT pg_notify($1, $2)', [channel, payload]);
  }
  await settle();
  await expect(watched).rejects.toMatchObject({ code: 'TASK_NOT_FOUND' });
  expect(await running.status()).toMatchObject({ state: 'running' });
  expect(warnings.some((line) => line.includes('sent a second time'))).toBe(true);
  await running.cancel();
});

it('a flood of forged messages keeps no task from its end, and does not fill the log', async () => {
  const texts = ['{"v":1,"repeat":true}', Buffer.alloc(5_900, 7).toString('base64')];
  for (const text of texts) {
    await foreign.query(
      'SELECT pg_notify(channel, $2 || n) FROM unnest($1::text[]) AS channel, generate_series(1, 2000) AS n',
      [[...channels], text],
    );
  }
  await settle();
  expect(warnings.length).toBeLessThanOrEqual(2 * channels.size);
});
