import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { BullModule, getQueueToken, InjectQueue } from '@nestjs/bullmq';
import { Injectable, Module, type INestApplicationContext, type ModuleMetadata } from '@nestjs/common';
import { LazyModuleLoader, NestFactory } from '@nestjs/core';
import { Queue, withBackend, createPostgresBackend, type ConnectionOptions } from 'bullmq';
import { Redis } from 'ioredis';
import { defineTask, Task, TaskAdmin, TaskProcessor, TaskQueue, TaskQueueModule } from 'nestjs-task-queue';
import { describeEachDatabase, describeEachEngine, type Place } from '../../support/engines.js';
import { Gate } from '../../support/gate.js';

/** A queue for each way to declare one. None of them is in the option `queues`. */
const invoice = defineTask<(number: number) => number>('invoice', { queue: 'by-contract' });

@Injectable()
class Ran {
  readonly gate = new Gate();
  letter: string | undefined;
}

@TaskProcessor('by-class')
class Letters {
  constructor(private readonly ran: Ran) {}

  @Task('letter')
  send(to: string): void {
    this.ran.letter = to;
    this.ran.gate.open();
  }
}

@Injectable()
class Parcels {
  @Task({ queue: 'by-method' })
  send(): void {}

  @Task()
  pack(): void {}
}

@Injectable()
class Desk {
  constructor(
    @InjectQueue('by-class') readonly byClass: Queue,
    @InjectQueue('by-method') readonly byMethod: Queue,
    @InjectQueue('by-contract') readonly byContract: Queue,
    @InjectQueue('by-default') readonly byDefault: Queue,
  ) {}
}

/** The queue of a contract that this application does not use. */
const UNUSED = 'of-another-application';
defineTask('unused', { queue: UNUSED });

@Injectable()
class Forms {
  constructor(@InjectQueue('registered') readonly queue: Queue) {}

  @Task({ queue: 'registered' })
  fill(): void {}
}

let apps: INestApplicationContext[] = [];
afterEach(async () => {
  await Promise.all(apps.map((app) => app.close()));
  apps = [];
});

async function start(place: Place, metadata: ModuleMetadata): Promise<INestApplicationContext> {
  const tasks = TaskQueueModule.forRoot({ ...place, consume: '*', defaults: { queue: 'by-default' } });
  @Module({ ...metadata, imports: [tasks, ...(metadata.imports ?? [])] })
  class App {}
  const app = await NestFactory.createApplicationContext(App, { logger: false, abortOnError: false });
  apps.push(app);
  return app;
}

describeEachDatabase('@InjectQueue() of a queue that has a task', (engine) => {
  it("injects BullMQ's queue for each way to declare one, without the option queues", async () => {
    const app = await start(await engine.place(), { providers: [Ran, Letters, Parcels, Desk] });
    const { byClass, byMethod, byContract, byDefault } = app.get(Desk);
    const queues = [byClass, byMethod, byContract, byDefault];
    expect(queues.map(({ name }) => name)).toEqual(['by-class', 'by-method', 'by-contract', 'by-default']);
    await byClass.add('letter', { args: ['Ada'] });
    await app.get(Ran).gate.opened;
    expect(app.get(Ran).letter).toBe('Ada');
    await app.get(TaskQueue).of(invoice).with({ delay: '1h' }).enqueue(1);
    expect(await byContract.getDelayedCount()).toBe(1);
  });

  it('creates a queue that no class injects at its first use, and not before', async () => {
    const place = await engine.place();
    const app = await start(place, { providers: [Ran, Letters] });
    const isStored = async () => {
      if (engine.name !== 'redis') return (await app.get(TaskAdmin).queues()).some(({ name }) => name === UNUSED);
      const client = new Redis(place.connection);
      const found = await client.exists(`${place.prefix}:${UNUSED}:meta`);
      client.disconnect();
      return found === 1;
    };
    const queue = app.get<Queue>(getQueueToken(UNUSED));
    expect(await isStored()).toBe(false);
    await queue.add('any', { args: [] }, { delay: 60_000 });
    expect(await queue.getDelayedCount()).toBe(1);
    expect(await isStored()).toBe(true);
  });

  it('injects it into a module that is loaded later, with a class that is defined later', async () => {
    const app = await start(await engine.place(), { providers: [Ran, Letters] });
    const late = await app.get(LazyModuleLoader).load(async () => {
      @TaskProcessor('late')
      class Late {
        constructor(@InjectQueue('late') readonly queue: Queue) {}

        @Task('late.run')
        run(): void {}
      }
      @Module({ providers: [{ provide: 'late', useExisting: Late }, Late] })
      class LateModule {}
      return LateModule;
    });
    const { queue } = late.get<{ queue: Queue }>('late');
    expect(queue.name).toBe('late');
    expect(await queue.getWaitingCount()).toBe(0);
  });
});

describeEachDatabase('@InjectQueue() of a queue that BullModule registers too', (engine) => {
  // BullModule would open the folder a second time.
  if (engine.name === 'embedded') {
    it('is not possible, because one process opens the folder once', () => expect(engine.name).toBe('embedded'));
    return;
  }

  beforeAll(() => {
    if (engine.name === 'postgres') BullModule.queueClass = withBackend(createPostgresBackend).Queue;
  });
  afterAll(() => {
    BullModule.queueClass = Queue;
  });

  it("injects BullModule's queue, which may have another prefix", async () => {
    const [place, old] = [await engine.place(), await engine.place()];
    const options = old.connection.startsWith('redis')
      ? { connection: { url: old.connection }, prefix: old.prefix }
      : { connection: { connectionString: old.connection, schema: old.prefix } as unknown as ConnectionOptions };
    const bull = [BullModule.forRoot(options), BullModule.registerQueue({ name: 'registered' })];
    // The first start makes the tables.
    await start(old, {});
    const app = await start(place, { imports: bull, providers: [Forms] });
    const { queue } = app.get(Forms);
    await queue.add('fill', {}, { delay: 60_000 });
    expect(await queue.getDelayedCount()).toBe(1);
    const counts = async (at: INestApplicationContext) =>
      (await at.get(TaskAdmin).queues()).find(({ name }) => name === 'registered')?.counts.scheduled ?? 0;
    expect(await counts(app)).toBe(0);
    expect(await counts(apps[0] as INestApplicationContext)).toBe(1);
  });
});

describeEachEngine('@InjectQueue() on an engine without BullMQ', (engine) => {
  it('is an error that names the queue, where the queue is used', async () => {
    const app = await start(await engine.place(), { providers: [Ran, Letters, Parcels, Desk] });
    const { byClass } = app.get(Desk);
    const count = async () => byClass.getWaitingCount();
    if (engine.name !== 'memory') return expect(await count()).toBe(0);
    await expect(count()).rejects.toThrow(
      'The queue "by-class" is asked for "getWaitingCount", but the connection memory: has no BullMQ queues.',
    );
  });
});
