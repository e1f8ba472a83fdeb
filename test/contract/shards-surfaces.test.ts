import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Controller, Get, Injectable, Module, Post, type INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TerminusModule } from '@nestjs/terminus';
import {
  InjectTasks,
  Task,
  TaskContext,
  TaskProcessor,
  TaskQueue,
  TaskQueueModule,
  type Tasks,
} from 'nestjs-task-queue';
import { TaskDashboardModule } from 'nestjs-task-queue/dashboard';
import { TaskQueueHealthIndicator, TaskQueueHealthModule } from 'nestjs-task-queue/health';
import { TaskMetricsModule } from 'nestjs-task-queue/metrics';
import type { AddressInfo } from 'node:net';
import pg from 'pg';
import { commandLine, type CommandResult } from '../support/command-line.js';
import { describeEachPair, type ShardedPlace } from '../support/engines.js';
import { request } from '../support/http-client.js';
import { Scrape } from '../support/metrics-app.js';
import { until } from '../support/until.js';

/** The queue `films` is in the shard `media`, the queue `mail` in the default one. */
@Injectable()
@TaskProcessor({ queue: 'films' })
class Films {
  constructor(private readonly task: TaskContext) {}

  @Task()
  async cut(length: number): Promise<number> {
    await this.task.log(`cuts ${length}`);
    return length;
  }

  @Task()
  fail(): void {
    throw new Error('no film');
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

@Controller()
class Api {
  constructor(
    @InjectTasks(Films) private readonly films: Tasks<Films>,
    private readonly health: TaskQueueHealthIndicator,
  ) {}

  @Post('films')
  cut() {
    return this.films.cut.enqueue(5);
  }

  @Get('health')
  async check() {
    return this.health.engine();
  }
}

describeEachPair('what shows the tasks of shards', (pair) => {
  let place: ShardedPlace;
  let app: INestApplication;
  let url: string;
  let films: Tasks<Films>;
  const hasServers = !pair.name.includes('memory');

  beforeAll(async () => {
    place = await pair.place();
    @Module({
      imports: [
        TaskQueueModule.forRoot({ ...place, queues: { films: { shard: 'media' } } }),
        TerminusModule,
        TaskQueueHealthModule,
        TaskMetricsModule.forRoot({ interval: 0 }),
        TaskDashboardModule.forRoot(),
      ],
      controllers: [Api],
      providers: [Films, Mails],
    })
    class App {}
    app = await NestFactory.create(App, { logger: false, abortOnError: false });
    await app.listen(0, '127.0.0.1');
    url = `http://127.0.0.1:${(app.getHttpServer().address() as AddressInfo).port}`;
    films = app.get(TaskQueue).of(Films);
  });
  afterAll(() => app.close());

  it('HTTP answers for tasks of every shard', async () => {
    const accepted = await request(url, '/films', { method: 'POST' });
    expect(accepted.status).toBe(202);
    const { id } = accepted.json() as { id: string };
    const final = await request(url, `/tasks/${id}?wait=20`);
    expect(final.json()).toMatchObject({ state: 'succeeded', result: 5 });
    const events = await request(url, `/tasks/${id}`, { headers: { accept: 'text/event-stream' } });
    expect(events.text).toContain('"state":"succeeded"');
  });

  it('health checks and metrics name each shard and its queues', async () => {
    const health = await request(url, '/health');
    expect(health.json()).toMatchObject({ 'tasks.engine': { status: 'up', shards: { default: 'up', media: 'up' } } });
    await (await app.get(TaskQueue).of(Mails).send.enqueue(1)).result();
    await (await films.cut.enqueue(1)).result();
    await until(async () => {
      const scrape = new Scrape((await request(url, '/metrics')).text);
      const queues = scrape.series('task_queue_tasks').map(({ labels }) => labels['queue']);
      return queues.includes('films') && queues.includes('mail');
    });
  });

  it('the dashboard shows the queues of all shards, and acts on their tasks', async () => {
    const failed = await films.fail.enqueue();
    await failed.result().catch(() => undefined);
    const overview = (await request(url, '/admin/tasks/api/overview')).json() as {
      queues: { name: string; shard: string }[];
    };
    expect(overview.queues.map(({ name, shard }) => [name, shard])).toEqual([
      ['films', 'media'],
      ['mail', 'default'],
    ]);
    const details = await request(url, `/admin/tasks/api/task/${failed.id}`);
    expect(details.text).toContain('no film');
  });

  if (!hasServers) return;

  /** The command line with the default shard, and with both. */
  const cli = (words: readonly string[], shards: readonly string[] = []): Promise<CommandResult> =>
    commandLine([...words, ...shards.flatMap((shard) => ['--shard', shard])], {
      env: { TASK_QUEUE_URL: place.connection, TASK_QUEUE_PREFIX: place.prefix },
    });
  const media = () => `media=${place.shards.media.connection}#${place.shards.media.prefix}`;

  it('the command line shows and controls the tasks of all shards that it is told of', async () => {
    await (await app.get(TaskQueue).of(Mails).send.enqueue(1)).result();
    const cut = await films.cut.enqueue(8);
    await cut.result();
    const failed = await films.fail.enqueue();
    await failed.result().catch(() => undefined);
    const shards = [media()];

    const status = await cli(['status'], shards);
    expect(status).toMatchObject({ code: 0, err: '' });
    expect(status.out).toMatch(/films +media/);
    expect(status.out).toMatch(/mail +default/);
    const list = await cli(['list', '--state', 'succeeded', '--json'], shards);
    const { items } = JSON.parse(list.out) as { items: { id: string; queue: string }[] };
    expect(items.map(({ id }) => id)).toContain(cut.id);
    expect(new Set(items.map(({ queue }) => queue))).toEqual(new Set(['films', 'mail']));
    expect((await cli(['show', failed.id], shards)).out).toContain('no film');
    expect((await cli(['logs', cut.id], shards)).out).toContain('cuts 8');
    expect((await cli(['doctor'], shards)).out).toContain('Shard media:');
    expect(await cli(['retry', failed.id], shards)).toMatchObject({ code: 0 });
    const enqueued = await cli(['enqueue', 'Films.cut', '--args', '[3]', '--wait'], shards);
    expect(enqueued.out).toContain('It is succeeded: 3');
    // Each command boots an application of its own.
  }, 120_000);

  it('the command line says which shards it does not see, and stores nothing in the wrong one', async () => {
    // The process that has opened a folder answers for all its shards.
    if (pair.name.startsWith('embedded')) return;
    const { err, out } = await cli(['status']);
    expect(out).not.toMatch(/films +media/);
    expect(err).toContain('The queues of these shards are not shown: media (films).');
    const enqueued = await cli(['enqueue', 'Films.cut', '--args', '[3]']);
    expect(enqueued.code).not.toBe(0);
    expect(enqueued.err).toContain('The queue "films" is in the shard media');
  });

  it('the command line names a shard that it was told of and cannot show', async () => {
    if (pair.name.startsWith('embedded')) return;
    const shards = [media(), 'other=redis://127.0.0.1:1'];
    // A shard of a cluster may only be on the same cluster.
    if (pair.name.includes('Cluster')) shards.pop();
    const { code, err, out } = await cli(['status'], shards);
    expect(code).toBe(0);
    expect(out).toMatch(/films +media/);
    expect(err).toBe(
      shards.length === 1
        ? ''
        : 'The shard other is not shown: it cannot be reached, and no worker has told which queues it has.\n',
    );
  }, 60_000);

  it('the command line makes no tables for a shard whose prefix is wrong', async () => {
    if (pair.name !== 'redis and postgres') return;
    const { connection } = place.shards.media;
    const { code, err } = await cli(['status'], [`media=${connection}#no_films`]);
    expect(code).toBe(3);
    expect(err).toMatch(/The schema "no_films" of .* has no tables\. Correct --shard \(or TASK_QUEUE_SHARDS\)/);
    const client = new pg.Client(connection);
    await client.connect();
    const { rows } = await client.query(`SELECT FROM pg_namespace WHERE nspname = 'no_films'`);
    await client.end();
    expect(rows).toEqual([]);
  });
});
