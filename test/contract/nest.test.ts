import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import {
  forwardRef,
  Injectable,
  Module,
  UsePipes,
  ValidationPipe,
  type DynamicModule,
  type Type,
} from '@nestjs/common';
import { LazyModuleLoader, NestFactory } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { IsInt } from 'class-validator';
import {
  chain,
  InjectTasks,
  Schedule,
  Task,
  TaskProcessor,
  TaskQueue,
  TaskQueueModule,
  TaskSchedules,
  type TaskProducer,
  type Tasks,
} from 'nestjs-task-queue';
import { boot, type Booted } from '../support/boot.js';
import { describeEachEngine, type Place } from '../support/engines.js';

abstract class Mailer {
  @Task({ retries: 1 })
  async send(to: string): Promise<string> {
    return this.deliver(to);
  }
  protected abstract deliver(to: string): Promise<string>;
}

abstract class FactoryMailer extends Mailer {}
abstract class ValueMailer extends Mailer {}
abstract class ExistingMailer extends Mailer {}

@Injectable()
class SmtpMailer extends Mailer {
  protected async deliver(to: string): Promise<string> {
    return `smtp ${to}`;
  }
}

@Injectable()
class Signup {
  constructor(
    @InjectTasks(Mailer) readonly byClass: Tasks<Mailer>,
    @InjectTasks(FactoryMailer) readonly byFactory: Tasks<FactoryMailer>,
    @InjectTasks(ValueMailer) readonly byValue: Tasks<ValueMailer>,
    @InjectTasks(ExistingMailer) readonly existing: Tasks<ExistingMailer>,
  ) {}
}

@TaskProcessor('letters')
class Letters {
  @Task({ name: 'letters.send', retries: 3, aliases: ['OldLetters.send'] })
  async send(to: string): Promise<string> {
    return `sent ${to}`;
  }
}

/** The class as it was before it got another name. */
@TaskProcessor('letters')
class OldLetters {
  @Task()
  async send(to: string): Promise<string> {
    return `sent ${to} by the old class`;
  }
}

@Injectable()
class AsksInConstructor {
  readonly send: TaskProducer<Letters['send']>;
  constructor(queue: TaskQueue) {
    this.send = queue.of('letters.send');
  }
}

@Injectable()
class RefersForward {
  constructor(@InjectTasks(forwardRef(() => DefinedLater)) readonly tasks: Tasks<DefinedLater>) {}
}

@Injectable()
class DefinedLater {
  @Task()
  async run(): Promise<string> {
    return 'ran';
  }
}

class Order {
  @IsInt()
  amount!: number;
}

@Injectable()
class Orders {
  @Task()
  @UsePipes(new ValidationPipe({ transform: true }))
  async price(order: Order): Promise<number> {
    return order instanceof Order ? order.amount * 2 : 0;
  }
}

describeEachEngine('classes and modules of Nest', (engine) => {
  let running: Booted;
  let closing: (() => Promise<void>)[] = [];
  beforeAll(async () => {
    running = await boot(await engine.place(), [
      SmtpMailer,
      { provide: Mailer, useClass: SmtpMailer },
      { provide: FactoryMailer, useFactory: () => new SmtpMailer() },
      { provide: ValueMailer, useValue: new Proxy(new SmtpMailer(), {}) },
      { provide: ExistingMailer, useExisting: SmtpMailer },
      ...[Signup, Letters, AsksInConstructor, RefersForward, DefinedLater, Orders],
    ]);
  });
  afterEach(async () => {
    await Promise.all(closing.map((close) => close()));
    closing = [];
  });
  afterAll(() => running.app.close());

  it.each(['byClass', 'byFactory', 'byValue', 'existing'] as const)(
    'a task class behind another token runs what producers store for the token: %s',
    async (way) => {
      const handle = await running.app.get(Signup)[way].send.enqueue('a@b.de');
      await expect(handle.result({ timeout: '20s' })).resolves.toBe('smtp a@b.de');
    },
  );

  it('a test that replaces the task class runs the replacement', async () => {
    @Module({ imports: [TaskQueueModule.forRoot(await engine.place())], providers: [SmtpMailer] })
    class App {}
    const double = { send: async (to: string) => `double ${to}` };
    const app = await Test.createTestingModule({ imports: [App] })
      .overrideProvider(SmtpMailer)
      .useValue(double)
      .compile();
    closing.push(() => app.close());
    await app.init();
    const handle = await app.get(TaskQueue).of(SmtpMailer).send.enqueue('x');
    await expect(handle.result({ timeout: '20s' })).resolves.toBe('double x');
  });

  it('a producer that a constructor makes by name has the declaration of the task', async () => {
    const handle = await running.app.get(AsksInConstructor).send.enqueue('a@b.de');
    await expect(handle.result({ timeout: '20s' })).resolves.toBe('sent a@b.de');
    expect(await handle.status()).toMatchObject({ queue: 'letters', maxAttempts: 4 });
  });

  it('a DTO that a ValidationPipe made is enqueued as JSON, and is a DTO again in the task', async () => {
    const pipe = new ValidationPipe({ transform: true });
    const order = (await pipe.transform({ amount: 21 }, { type: 'body', metatype: Order })) as Order;
    const handle = await running.queue.of(Orders).price.enqueue(order);
    await expect(handle.result({ timeout: '20s' })).resolves.toBe(42);
  });

  it('a forward reference injects the producers of a class that is defined later', async () => {
    const handle = await running.app.get(RefersForward).tasks.run.enqueue();
    await expect(handle.result({ timeout: '20s' })).resolves.toBe('ran');
  });

  it('what waits under an alias runs: tasks, workflows and schedules', async () => {
    const place = await engine.place();
    const before = await boot({ ...place, role: 'producer' }, [OldLetters]);
    const old = before.queue.of(OldLetters).send;
    const single = await old.enqueue('single');
    const flow = await chain(old.signature('step'), before.queue.of(Letters).send.signature()).enqueue();
    await before.app.get(TaskSchedules).upsert('daily', { task: old, cron: '@yearly', args: ['tick'] });
    const ids = [single.id, flow.id];
    await before.app.close();

    const after = await boot(place, [Letters]);
    closing.push(() => after.app.close());
    const handles = [...ids.map((id) => after.queue.handle(id)), await after.app.get(TaskSchedules).runNow('daily')];
    const results = await Promise.all(handles.map((handle) => handle.result({ timeout: '20s' })));
    expect(results).toEqual(['sent single', 'sent sent step', 'sent tick']);
    expect(await handles[0]?.status()).toMatchObject({ name: 'OldLetters.send', queue: 'letters' });
    expect(after.queue.of('OldLetters.send').name).toBe('letters.send');
  });

  it('a task of a module that `imports` gives as a promise runs, and its producers are injected', async () => {
    const user = await startWithPromise(await engine.place());
    closing.push(user.close);
    await expect((await user.tasks.run.enqueue()).result({ timeout: '20s' })).resolves.toBe('later');
  });

  it('a module that is loaded while the application runs is complete once it is loaded', async () => {
    const { app, queue } = running;
    const { LaterTasks, LaterUser } = laterClasses();
    class LazyModule {}
    const providers = [LaterTasks, LaterUser];
    const lazy = await app.get(LazyModuleLoader).load(() => ({ module: LazyModule, providers }));
    const { tasks } = lazy.get<{ tasks: Tasks<InstanceType<typeof LaterTasks>> }>(LaterUser);
    for (const producer of [tasks.run, queue.of(LaterTasks).run, queue.of<() => string>('LaterTasks.run')]) {
      const handle = await producer.enqueue();
      await expect(handle.result({ timeout: '20s' })).resolves.toBe('later');
      expect(handle.id).toMatch(/^later\./);
    }
    const schedules = app.get(TaskSchedules);
    expect(await schedules.get('LaterTasks.run')).toMatchObject({ source: 'decorator', task: 'LaterTasks.run' });
    await expect((await schedules.runNow('LaterTasks.run')).result({ timeout: '20s' })).resolves.toBe('later');
  });
});

/** An application one of whose modules is imported as `import('./later.module.js').then(…)` does it. */
async function startWithPromise(place: Place) {
  @Module({ imports: [TaskQueueModule.forRoot(place), laterModule()] })
  class App {}
  const app = await NestFactory.createApplicationContext(App, { logger: false, abortOnError: false });
  return { tasks: app.get<{ tasks: Tasks<{ run(): Promise<string> }> }>('user').tasks, close: () => app.close() };
}

async function laterModule(): Promise<DynamicModule> {
  await new Promise((resolve) => setImmediate(resolve));
  const { LaterTasks, LaterUser } = laterClasses();
  class LaterModule {}
  return { module: LaterModule, providers: [LaterTasks, LaterUser, { provide: 'user', useExisting: LaterUser }] };
}

/** Classes that are defined when the function is called, like those of a file that is imported then. */
function laterClasses(): { LaterTasks: Type<{ run(): Promise<string> }>; LaterUser: Type } {
  class LaterTasks {
    @Schedule('@yearly')
    @Task({ queue: 'later' })
    async run(): Promise<string> {
      return 'later';
    }
  }
  @Injectable()
  class LaterUser {
    constructor(@InjectTasks(LaterTasks) readonly tasks: Tasks<LaterTasks>) {}
  }
  return { LaterTasks, LaterUser };
}
