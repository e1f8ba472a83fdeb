import { Global, Inject, Injectable, Module, type DynamicModule, type Provider } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Task, TaskContext, TaskQueue, TaskQueueModule, type TaskQueueOptions } from 'nestjs-task-queue';
import { Gate } from '../support/gate.js';
import { freePrefix } from '../support/servers.js';

const hooks = ['onModuleDestroy', 'beforeApplicationShutdown', 'onApplicationShutdown'] as const;

/** A database that closes in one of Nest's shutdown hooks, as the usual ones do in one or the other. */
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
  async heedful(): Promise<void> {
    this.started.open();
    await new Promise((_, reject) =>
      this.task.signal.addEventListener('abort', () => reject(this.task.signal.reason as Error)),
    );
  }
}

/** Where applications have their database: far from the root, or nowhere near. */
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
  it.each(Object.keys(layouts))('%s is open while tasks come to their end', async (layout) => {
    const app = await boot(layout, hook);
    open.push(app);
    const work = app.get(Work, { strict: false });
    const database = app.get<Database>(DATABASE, { strict: false });
    const handle = await app.get(TaskQueue).of(Work).write.enqueue();
    await work.started.opened;
    const result = handle.result();
    const closed = app.close();
    // The order is wrong when it closes before the task may end; the database would have been closed by then.
    await expect(Promise.race([closed, new Promise((resolve) => setTimeout(resolve, 100, 'waits'))])).resolves.toBe(
      'waits',
    );
    work.mayEnd.open();
    await expect(result).resolves.toBe('written');
    await closed;
    expect(database.closed).toBe(true);
  });
});

it('closes at once when nothing runs, and a second time', async () => {
  const app = await boot('in the root module', 'onModuleDestroy', { shutdown: { grace: '1h' } });
  const start = Date.now();
  await app.close();
  await app.close();
  expect(Date.now() - start).toBeLessThan(1_000);
});

it('answers who waits for a task that does not end, and gives the task back', async () => {
  const app = await boot('in the root module', 'onModuleDestroy', { shutdown: { grace: 50 } });
  const handle = await app.get(TaskQueue).of(Work).heedful.enqueue();
  await app.get(Work).started.opened;
  // Closing answers it, so it is waited for beside the closing.
  await Promise.all([
    app.close(),
    expect(handle.result()).rejects.toMatchObject({
      code: 'ENGINE_UNAVAILABLE',
      message: expect.stringContaining('The application closes'),
    }),
  ]);
});
