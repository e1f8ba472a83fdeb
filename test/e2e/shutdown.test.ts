import { Global, Inject, Injectable, Module, type DynamicModule, type Provider } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Task, TaskContext, TaskQueue, TaskQueueModule, type TaskQueueOptions } from 'nestjs-task-queue';
import { Gate } from '../support/gate.js';
import { freePrefix } from '../support/servers.js';

const hooks = ['onModuleDestroy', 'beforeApplicationShutdown', 'onApplicationShutdown'] as const;

/** A database that closes in one of Nest's shutdown hooks. Each of the three hooks is in use by common libraries. */
class Database {
  closed = false;

  constructor(hook: (typeof hooks)[number]) {
    Object.assign(this, { [hook]: () => (this.closed = true) });
  }

  write(): void {
    if (this.closed) throw new Error('The database is closed.');
  }
}

const DATABASE = Symbol('database');

@Injectable()
class Work {
  readonly started = new Gate();
  readonly mayEnd = new Gate();

  constructor(
    @Inject(DATABASE) private readonly database: Database,
    private readonly task: TaskContext,
  ) {}

  @Task()
  async write(): Promise<string> {
    this.started.open();
    await this.mayEnd.opened;
    this.database.write();
    return 'written';
  }

  @Task()
  async endsOnAbort(): Promise<void> {
    this.started.open();
    await new Promise((_, reject) =>
      this.task.signal.addEventListener('abort', () => reject(this.task.signal.reason as Error)),
    );
  }
}

/** Where an application provides its database: in the root module, or in one of the modules below. */
const layouts: Record<string, (database: Provider, queue: DynamicModule) => DynamicModule> = {
  'in the root module': (database, queue) => ({ module: class Root {}, imports: [queue], providers: [database, Work] }),
  'in a module that is imported before': (database, queue) => {
    const data = { module: class Data {}, providers: [database], exports: [database] } as DynamicModule;
    return { module: class Root {}, imports: [data, queue], providers: [Work] };
  },
  'in a global module, imported last': (database, queue) => {
    @Global()
    @Module({ providers: [database], exports: [database] })
    class Data {}
    return { module: class Root {}, imports: [queue, { module: class Features {}, providers: [Work] }, Data] };
  },
  'in a module deep down': (database, queue) => {
    const data = { module: class Data {}, providers: [database], exports: [database] } as DynamicModule;
    const feature = { module: class Feature {}, imports: [data], providers: [Work] } as DynamicModule;
    return { module: class Root {}, imports: [{ module: class Features {}, imports: [feature] }, queue] };
  },
};

async function boot(layout: string, hook: (typeof hooks)[number], options: TaskQueueOptions = {}) {
  const queue = TaskQueueModule.forRoot({
    connection: process.env['TEST_REDIS_URL'] as string,
    prefix: freePrefix(),
    ...options,
  });
  const make = layouts[layout] as (typeof layouts)[string];
  const root = make({ provide: DATABASE, useFactory: () => new Database(hook) }, queue);
  return NestFactory.createApplicationContext(root, { logger: false, abortOnError: false });
}

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const app of open.splice(0)) await app.close();
});

describe.each(hooks)('a database that closes in %s', (hook) => {
  it.each(Object.keys(layouts))('the database %s is open until the running tasks have ended', async (layout) => {
    const app = await boot(layout, hook);
    open.push(app);
    const work = app.get(Work, { strict: false });
    const database = app.get<Database>(DATABASE, { strict: false });
    const handle = await app.get(TaskQueue).of(Work).write.enqueue();
    await work.started.opened;
    const result = handle.result();
    const closed = app.close();
    // The application must not close before the task may end, because its database would then be closed.
    await expect(Promise.race([closed, new Promise((resolve) => setTimeout(resolve, 100, 'waits'))])).resolves.toBe(
      'waits',
    );
    work.mayEnd.open();
    await expect(result).resolves.toBe('written');
    await closed;
    expect(database.closed).toBe(true);
  });
});

it('an application without running tasks closes at once, also a second time', async () => {
  const app = await boot('in the root module', 'onModuleDestroy', { shutdown: { grace: '1h' } });
  const start = Date.now();
  await app.close();
  await app.close();
  expect(Date.now() - start).toBeLessThan(1_000);
});

it('close() rejects the wait for a task that does not end, and gives the task back', async () => {
  const app = await boot('in the root module', 'onModuleDestroy', { shutdown: { grace: 50 } });
  const handle = await app.get(TaskQueue).of(Work).endsOnAbort.enqueue();
  await app.get(Work).started.opened;
  // In parallel, because close() rejects the wait.
  await Promise.all([
    app.close(),
    expect(handle.result()).rejects.toMatchObject({
      code: 'ENGINE_UNAVAILABLE',
      message: expect.stringContaining('The application closes'),
    }),
  ]);
});
