import { forwardRef, Injectable, type DynamicModule, type Provider, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  ConfigurationError,
  InjectTasks,
  Schedule,
  Task,
  TaskProcessor,
  TaskQueue,
  TaskQueueModule,
  TaskSchedules,
  type Tasks,
} from 'nestjs-task-queue';
import { boot, type Booted } from '../../support/boot.js';

/** A value as a program without types may give it. */
const untyped = (value: unknown) => value as never;

const start = async (module: DynamicModule, providers: Provider[] = []) => {
  const root = { module: class App {}, imports: [module], providers };
  const app = await NestFactory.createApplicationContext(root, { logger: false, abortOnError: false });
  await app.close();
};

describe('the options of the module', () => {
  it.each([undefined, null, 'redis://user:secret@host', 5, []])('cannot be %j from a factory', async (value) => {
    const starting = start(TaskQueueModule.forRootAsync({ useFactory: () => untyped(value) }));
    await expect(starting).rejects.toThrow(ConfigurationError);
    await expect(starting).rejects.toThrow(/gave as its options is .* Give an object/);
    await expect(starting).rejects.not.toThrow('secret');
  });

  it.each([null, 'redis://host', 5, []])('cannot be %j from forRoot()', (value) => {
    expect(() => TaskQueueModule.forRoot(untyped(value))).toThrow(ConfigurationError);
  });

  it('cannot come from nowhere', () => {
    expect(() => TaskQueueModule.forRootAsync({})).toThrow(/needs useFactory, useClass or useExisting/);
  });
});

describe('a declaration', () => {
  function declare(decorate: (prototype: object, method: string) => void): Type {
    class Reports {
      async build(): Promise<void> {}
    }
    decorate(Reports.prototype, 'build');
    return Reports;
  }
  const task = (options: unknown) => () => declare(Task(untyped(options)) as never);
  const schedule = (when: unknown, options: unknown = {}) => {
    return () =>
      declare((prototype, method) => {
        (Task() as (...target: unknown[]) => void)(prototype, method);
        (Schedule(untyped(when), untyped(options)) as (...target: unknown[]) => void)(prototype, method);
      });
  };

  it.each<[string, () => Type]>([
    ['retires of task "Reports.build"', task({ retires: 3 })],
    ['@Task() of Reports.build is 5', task(5)],
    ['The name 5 of', task({ name: 5 })],
    ['queue of task "Reports.build" is 5', task({ queue: 5 })],
    ['dealy in backoff', task({ backoff: { type: 'fixed', dealy: 5 } })],
    ['backoff of task "Reports.build" is 5', task({ backoff: 5 })],
    ['by in unique', task({ unique: { while: 'running', by: () => 'x' } })],
    ['kye in batch', task({ batch: { size: 5, wait: 5, kye: () => 'x' } })],
    ['ignoreResult of task "Reports.build" is "yes"', task({ ignoreResult: 'yes' })],
    ['timezoen of @Schedule("* * * * *") of Reports.build', schedule('* * * * *', { timezoen: 'UTC' })],
    ['overlap of @Schedule({"every":"5m","overlap":"skip"})', schedule({ every: '5m', overlap: 'skip' })],
    ['args of @Schedule("* * * * *") of Reports.build is not a list', schedule('* * * * *', { args: 'daily' })],
    ['quue of task "Mails.send"', () => processor({ quue: 'mail' })],
    ['@TaskProcessor() of Mails has the option name', () => processor({ name: 'x' })],
    ['@TaskProcessor() of Mails is 5', () => processor(5)],
    ['Reports.build has a @Task() and is a property', () => property()],
    ['The class Reports has a @Task()', () => ofClass()],
  ])('that is wrong is named: %s', async (named, declared) => {
    const starting = (async () => start(TaskQueueModule.forRoot({ connection: 'memory:' }), [declared()]))();
    await expect(starting).rejects.toThrow(ConfigurationError);
    await expect(starting).rejects.toThrow(named);
  });
});

function processor(options: unknown): Type {
  @TaskProcessor(untyped(options))
  class Mails {
    @Task()
    async send(): Promise<void> {}
  }
  return Mails;
}

function property(): Type {
  class Reports {
    build = async (): Promise<void> => undefined;
  }
  (Task() as (...target: unknown[]) => void)(Reports.prototype, 'build');
  return Reports;
}

function ofClass(): Type {
  class Reports {}
  (Task() as (...target: unknown[]) => void)(Reports);
  return Reports;
}

@Injectable()
class Work {
  @Task()
  async run(): Promise<void> {}
}

describe('while the application runs', () => {
  let booted: Booted;
  let work: Tasks<Work>;
  beforeAll(async () => {
    booted = await boot({ connection: 'memory:' }, [Work]);
    work = booted.queue.of(Work);
  });
  afterAll(() => booted.app.close());

  it.each<[string, object]>([
    ['with({ dealy })', { dealy: 5 }],
    ['with({ queue }) is 5', { queue: 5 }],
    ['with({ headers }) is 5', { headers: 5 }],
  ])('an option of a call that is wrong is named: %s', async (named, options) => {
    const enqueue = async () => work.run.with(options).enqueue();
    const sign = async () => work.run.with(options).signature();
    for (const call of [enqueue, sign]) {
      await expect(call()).rejects.toThrow(ConfigurationError);
      await expect(call()).rejects.toThrow(named);
    }
  });

  it.each<[string, object]>([
    ['There is no option timezoen of Schedule "x"', { timezoen: 'UTC' }],
    ['args of Schedule "x" is not a list', { args: 'daily' }],
    ['task of Schedule "x" is undefined', { task: undefined }],
    ['task of Schedule "x" is no producer', { task: {} }],
  ])('a setting of a schedule that is wrong is named: %s', async (named, settings) => {
    const schedules = booted.app.get(TaskSchedules);
    const upsert = () => schedules.upsert('x', untyped({ task: 'Work.run', every: '5m', ...settings }));
    await expect(upsert()).rejects.toThrow(ConfigurationError);
    await expect(upsert()).rejects.toThrow(named);
    expect(await schedules.get('x')).toBeUndefined();
  });
});

describe('what a class of another application injects', () => {
  class Wrong {
    @Task({ retries: -1 })
    async run(): Promise<void> {}
  }

  // The decorators of the code of a process concern all its applications, so these two come in this order.
  it('is an error of that application alone', async () => {
    @Injectable()
    class User {
      constructor(@InjectTasks(Wrong) readonly tasks: Tasks<Wrong>) {}
    }
    const module = () => TaskQueueModule.forRoot({ connection: 'memory:' });
    await expect(start(module(), [User])).rejects.toThrow('retries of task "Wrong.run" is -1');
    await expect(start(module(), [Work])).resolves.toBeUndefined();
  });

  it('may be a class that is not defined yet, or never, while an application runs', async () => {
    const { app } = await boot({ connection: 'memory:' }, [Work]);
    let Later: Type | undefined;
    const later = forwardRef(() => {
      // As reading a class of an ES module that has not run that far.
      if (!Later) throw new ReferenceError("Cannot access 'Later' before initialization");
      return Later;
    });
    @Injectable()
    class User {
      constructor(@InjectTasks(later) readonly tasks: { run: { name: string } }) {}
    }
    const module = () => TaskQueueModule.forRoot({ connection: 'memory:' });
    await expect(start(module(), [User])).rejects.toThrow('refers to a class that is not defined');
    await expect(start(module(), [Work])).resolves.toBeUndefined();
    Later = Work;
    const { app: other } = await boot({ connection: 'memory:' }, [Work, User]);
    expect(other.get(User).tasks.run.name).toBe('Work.run');
    expect(app.get(TaskQueue)).toBeDefined();
    await other.close();
    await app.close();
  });
});
