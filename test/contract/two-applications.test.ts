import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Injectable, Module, type INestApplicationContext, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Schedule, Task, TaskQueue, TaskQueueModule, TaskSchedules } from 'nestjs-task-queue';
import type { Engine } from '../../lib/engine/engine.js';
import { ENGINE } from '../../lib/task-queue-tokens.js';
import { describeEachEngine, type Place } from '../support/engines.js';
import { LogLines } from '../support/log-lines.js';
import { until } from '../support/until.js';

@Injectable()
class Shop {
  @Schedule('@daily', { id: 'stock' })
  @Schedule('@daily', { id: 'both' })
  @Task()
  count(value = 0): number {
    return value;
  }
}

@Injectable()
class Mail {
  @Schedule('@daily', { id: 'digest' })
  @Schedule('@hourly', { id: 'both' })
  @Task()
  send(value = 0): number {
    return value;
  }
}

async function start(place: Place, provider: Type, application?: string) {
  const log = new LogLines();
  @Module({
    imports: [TaskQueueModule.forRoot({ ...place, ...(application && { application }) })],
    providers: [provider],
  })
  class App {}
  const app = await NestFactory.createApplicationContext(App, { logger: log, abortOnError: false });
  return { app, log, tasks: app.get(TaskQueue), schedules: app.get(TaskSchedules), engine: app.get<Engine>(ENGINE) };
}

/** The names of the engines in the log. */
const ENGINES = {
  redis: 'Redis at ',
  postgres: 'PostgreSQL at ',
  embedded: 'the embedded engine in ',
  memory: 'the memory engine ',
};

/** Both have the default queue and the same prefix, because neither knows of the other. */
describeEachEngine('two applications on one queue', (engine) => {
  it('each names the engine, its place and the queues in one line when it starts', async () => {
    const place = await engine.place();
    const { app, log } = await start(place, Shop);
    const line = new RegExp(
      `^LOG Running the queue default on ${ENGINES[engine.name]}.*, (prefix|schema) ${place.prefix}\\.$`,
    );
    expect(log.lines.filter((each) => each.includes(' on '))).toEqual([expect.stringMatching(line)]);
    await app.close();
  });

  // Only one process at a time can open the embedded engine.
  if (engine.name === 'embedded') {
    it('a process that runs tasks is in the list of workers until it closes', async () => {
      const { app, engine: opened } = await start(await engine.place(), Shop, 'shop');
      await expect(opened.workers.list()).resolves.toMatchObject([{ application: 'shop', tasks: ['Shop.count'] }]);
      await app.close();
    });
    return;
  }
  let shop: Awaited<ReturnType<typeof start>>;
  let mail: Awaited<ReturnType<typeof start>>;
  const open: INestApplicationContext[] = [];

  beforeAll(async () => {
    const place = await engine.place();
    shop = await start(place, Shop, 'shop');
    open.push(shop.app);
    mail = await start(place, Mail, 'mail');
    open.push(mail.app);
  });
  afterAll(() => Promise.all(open.map((app) => app.close())));

  it('the later one warns of the shared queue, names both and the options', () => {
    const warnings = mail.log.lines.filter((line) => line.startsWith('WARN') && line.includes('Two applications'));
    expect(warnings).toHaveLength(1);
    for (const part of [
      '"default"',
      '"shop"',
      '"mail"',
      `process ${process.pid}`,
      'Shop.count',
      'Mail.send',
      '`prefix`',
      '`queue`',
    ]) {
      expect(warnings[0]).toContain(part);
    }
    expect(shop.log.lines.join()).not.toContain('Two applications');
  });

  it('each keeps its schedules, and an id that both declare stays with the first and is reported', async () => {
    await expect(mail.schedules.list()).resolves.toMatchObject([
      { id: 'both', task: 'Shop.count', cron: '@daily' },
      { id: 'digest', task: 'Mail.send' },
      { id: 'stock', task: 'Shop.count' },
    ]);
    expect(mail.log.lines.join('\n')).toContain('ERROR The schedule "both" of a @Schedule() is not set');
  });

  it('a task that the other application takes is given back until it runs where it is declared', async () => {
    const numbers = Array.from({ length: 6 }, (_, index) => index);
    const handles = await shop.tasks.of(Shop).count.enqueueMany(numbers.map((value) => [value]));
    await expect(Promise.all(handles.map((handle) => handle.result({ timeout: '25s' })))).resolves.toEqual(numbers);
  });

  it('a process that runs tasks is in the list of workers until it closes', async () => {
    const workers = await shop.engine.workers.list();
    expect(new Set(workers.map(({ application }) => application))).toEqual(new Set(['mail', 'shop']));
    const [worker] = workers.filter(({ application }) => application === 'mail');
    expect(worker).toEqual({
      id: expect.any(String),
      application: 'mail',
      host: expect.any(String),
      pid: process.pid,
      version: expect.any(String),
      startedAt: expect.any(Number),
      seenAt: expect.any(Number),
      queues: ['default'],
      tasks: ['Mail.send'],
      tasksOfQueues: { default: ['Mail.send'] },
      schedules: expect.arrayContaining(['both', 'digest']),
      concurrency: { default: 10 },
      rateLimits: {},
      // Also since when the worker looks after schedules, once it does.
      load: expect.objectContaining({
        running: [],
        runningCount: 0,
        eventLoopDelay: expect.any(Number),
        memory: expect.any(Number),
        silentQueues: [],
      }),
    });
    await mail.app.close();
    await until(async () => (await shop.engine.workers.list()).length === 1, 'the closed process is not in the list');
  });
});
