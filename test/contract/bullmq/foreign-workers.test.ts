import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { BullModule, Processor, WorkerHost } from '@nestjs/bullmq';
import { Injectable, Module, type DynamicModule, type INestApplicationContext, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Queue, Worker, withBackend, createPostgresBackend, type ConnectionOptions } from 'bullmq';
import { Task, TaskQueueModule } from 'nestjs-task-queue';
import type { Engine } from '../../../lib/engine/engine.js';
import { findForeignWorkers } from '../../../lib/engine/foreign-workers.js';
import { ENGINE } from '../../../lib/task-queue-tokens.js';
import { describeEachDatabase, type Place } from '../../support/engines.js';
import { LogLines } from '../../support/log-lines.js';
import { until } from '../../support/until.js';

@Injectable()
class Mails {
  @Task({ name: 'mail.welcome', queue: 'mail' })
  welcome(): void {}

  @Task({ name: 'invoice.send', queue: 'invoices' })
  invoice(): void {}
}

@Processor('mail')
class OldMails extends WorkerHost {
  async process(): Promise<void> {}
}

@Processor('unrelated')
class Unrelated extends WorkerHost {
  async process(): Promise<void> {}
}

const ABOUT_MAIL = /Two kinds of workers take from the queue "mail"/;

/** An application that has never heard of this package. */
function oldModules({ connection, prefix }: Place, queue: string): DynamicModule[] {
  const options = connection.startsWith('redis')
    ? { connection: { url: connection }, prefix }
    : { connection: { connectionString: connection, schema: prefix } as unknown as ConnectionOptions };
  return [BullModule.forRoot(options), BullModule.registerQueue({ name: queue })];
}

/** Nest has one logger for all applications of a process: that of the last one that started. */
let log: LogLines;

async function start(imports: DynamicModule[], providers: Type[]): Promise<INestApplicationContext> {
  @Module({ imports, providers })
  class App {}
  return NestFactory.createApplicationContext(App, { logger: log, abortOnError: false });
}

function warnings(): string[] {
  return log.lines.filter((line) => line.startsWith('WARN Two kinds of workers'));
}

const ours = (place: Place) => TaskQueueModule.forRoot({ ...place, application: 'shop', queues: { invoices: {} } });

describeEachDatabase('a worker of BullMQ on a queue of this package', (engine) => {
  beforeEach(() => {
    log = new LogLines();
  });

  if (engine.name === 'embedded') {
    it('none can be there, because no other process opens the folder', async () => {
      const app = await start([ours(await engine.place())], [Mails]);
      await expect(findForeignWorkers(app.get<Engine>(ENGINE))).resolves.toEqual([]);
      expect(warnings()).toEqual([]);
      await app.close();
    });
    return;
  }

  beforeAll(() => {
    if (engine.name !== 'postgres') return;
    const classes = withBackend(createPostgresBackend);
    BullModule.queueClass = classes.Queue;
    BullModule.workerClass = classes.Worker;
  });
  afterAll(() => {
    BullModule.queueClass = Queue;
    BullModule.workerClass = Worker;
  });

  it('is named at the start of this package, together with the tasks of this process, and in the findings of doctor', async () => {
    const place = await engine.place();
    // The first start makes the tables.
    await (await start([ours(place)], [Mails])).close();
    expect(warnings()).toEqual([]);
    const old = await start(oldModules(place, 'mail'), [OldMails]);
    const app = await start([ours(place)], [Mails]);
    try {
      expect(warnings()).toEqual([expect.stringMatching(ABOUT_MAIL)]);
      const [warning] = warnings();
      expect(warning).toMatch(/the worker of "shop" on .+ \(process \d+, tasks mail\.welcome\)/);
      expect(warning).toMatch(/a worker of BullMQ connected from 127\.0\.0\.1:\d+ \(such as a @Processor\(\)/);
      const found = () => findForeignWorkers(app.get<Engine>(ENGINE));
      await expect(found()).resolves.toMatchObject([
        { check: 'other workers', level: 'warn', text: expect.stringMatching(ABOUT_MAIL) },
      ]);
      await old.close();
      await until(async () => (await found()).length === 0, 'the worker of BullMQ is gone');
    } finally {
      await Promise.all([app.close(), old.close()]);
    }
  });

  it('is noticed when it starts later, and named by its class in the same application; others are not', async () => {
    const place = await engine.place();
    const running = await start([ours(place)], [Mails]);
    const elsewhere = await start(oldModules(place, 'unrelated'), [Unrelated]);
    const both = await start([ours(place), ...oldModules(place, 'mail')], [Mails, OldMails]);
    try {
      const has = (text: string) => warnings().some((line) => line.includes(text));
      await until(
        () => has('probably the @Processor() OldMails of this process'),
        'the application of both has warned',
      );
      await until(() => has('such as a @Processor() of @nestjs/bullmq'), 'the application that ran before has warned');
      expect(warnings()).toEqual([expect.stringMatching(ABOUT_MAIL), expect.stringMatching(ABOUT_MAIL)]);
    } finally {
      await Promise.all([running, elsewhere, both].map((app) => app.close()));
    }
  }, 30_000);
});
