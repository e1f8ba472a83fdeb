import { expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Schedule, Task, TaskAdmin, TaskContext, TaskProcessor, TaskSchedules } from 'nestjs-task-queue';
import { tableStatements } from '../../lib/transactions/outbox/outbox-table.js';
import { boot } from '../support/boot.js';
import { postgresAt, transact } from '../support/outbox-database.js';
import { startPostgres, startRedis } from '../support/servers.js';
import { until } from '../support/until.js';

@Injectable()
@TaskProcessor({ queue: 'films' })
class Films {
  @Task()
  cut(length: number): number {
    return length;
  }
}

@Injectable()
@TaskProcessor({ queue: 'mail' })
class Mails {
  @Task()
  send(to: number): number {
    return to;
  }
}

it('a shard whose server is gone takes only its own queues along, and what waited there runs once it is back', async () => {
  const [first, second] = [await startRedis(), await startRedis({ durable: true })];
  const options = {
    connection: first.url,
    shards: { media: { connection: second.url } },
    queues: { films: { shard: 'media' } },
  };
  const producer = await boot({ ...options, role: 'producer' });
  const waiting = await producer.queue.of(Films).cut.enqueueMany([[1], [2], [3]]);
  await second.kill();

  const worker = await boot(options, [Films, Mails]);
  const admin = worker.app.get(TaskAdmin);
  const mail = await worker.queue.of(Mails).send.enqueue(5);
  expect(await mail.result({ timeout: '60s' })).toBe(5);
  await expect(worker.queue.of(Films).cut.enqueue(9)).rejects.toMatchObject({ code: 'ENGINE_UNAVAILABLE' });
  expect(await admin.shards()).toMatchObject([{ reachable: true }, { name: 'media', reachable: false }]);
  expect((await admin.queues()).map(({ name }) => name)).toEqual(['mail']);
  expect(await admin.tasks({ state: 'succeeded' })).toMatchObject({ missingShards: ['media'] });

  await second.restart();
  const results = waiting.map(({ id }) => worker.queue.handle(id).result({ timeout: '60s' }));
  expect(await Promise.all(results)).toEqual([1, 2, 3]);
  await until(async () => (await admin.queues()).length === 2);
  await until(async () => !(await admin.tasks({ state: 'succeeded' })).missingShards);

  await worker.app.close();
  await producer.app.close();
  await first.close();
  await second.close();
}, 120_000);

/** The ticks that ran, in milliseconds since 1970. */
const ticks = { film: [] as number[], mail: [] as number[] };

@Injectable()
class Timed {
  constructor(private readonly task: TaskContext) {}

  @Schedule('* * * * * *', { id: 'film' })
  @Task({ queue: 'films' })
  film(): void {
    ticks.film.push(Date.parse(this.task.headers['schedule-tick'] as string));
  }

  @Schedule('* * * * * *', { id: 'mail' })
  @Task({ queue: 'mail' })
  mail(): void {
    ticks.mail.push(Date.parse(this.task.headers['schedule-tick'] as string));
  }
}

it('the schedules of other shards keep their time while a shard does not answer, and its own go on once it does', async () => {
  const [first, second] = [await startRedis(), await startRedis()];
  const app = await boot(
    {
      connection: first.url,
      shards: { media: { connection: second.url } },
      queues: { films: { shard: 'media' } },
    },
    [Timed],
  );
  await until(() => ticks.film.length > 1 && ticks.mail.length > 1);
  second.freeze();
  ticks.mail.splice(0);
  await until(() => ticks.mail.length >= 9);
  const inOrder = ticks.mail.toSorted((one, other) => one - other);
  expect(inOrder.map((tick) => tick - (inOrder[0] as number))).toEqual(inOrder.map((_, index) => index * 1_000));
  const schedules = await app.app.get(TaskSchedules).list();
  expect(schedules.map(({ id }) => id)).toEqual(['film', 'mail']);
  const before = ticks.film.length;
  second.thaw();
  await until(() => ticks.film.length > before + 1);
  await app.app.close();
  await first.close();
  await second.close();
}, 120_000);

it('calls in transactions reach other shards while a shard does not answer, and their own once it does', async () => {
  const [first, second, postgres] = [await startRedis(), await startRedis(), await startPostgres()];
  const database = postgresAt(postgres.url);
  for (const statement of tableStatements('postgres')) await database.query(statement);
  const app = await boot(
    {
      connection: first.url,
      shards: { media: { connection: second.url } },
      queues: { films: { shard: 'media' } },
      outbox: { connection: postgres.url },
    },
    [Films, Mails],
  );
  const [films, mails] = [app.queue.of(Films), app.queue.of(Mails)];
  const send = () => transact(database, (transaction) => mails.send.in(transaction).enqueue(1));
  expect(await (await send()).result({ timeout: '60s' })).toBe(1);
  second.freeze();
  // More rows than a relay takes at once: each call has a row of its own.
  const cut = await transact(database, async (transaction) => {
    const handles = [];
    for (let length = 0; length < 600; length++) handles.push(await films.cut.in(transaction).enqueue(length));
    return handles;
  });
  for (let mail = 0; mail < 3; mail++) expect(await (await send()).result({ timeout: '60s' })).toBe(1);
  const [{ waiting } = { waiting: '' }] = await database.query(
    "SELECT count(*)::text AS waiting FROM task_outbox WHERE queue = 'films'",
  );
  expect(waiting).toBe('600');
  second.thaw();
  expect(await cut[599]?.result({ timeout: '60s' })).toBe(599);
  await app.app.close();
  await database.close();
  for (const server of [first, second, postgres]) await server.close();
}, 120_000);
