import {
  Injectable,
  Module,
  Scope,
  SetMetadata,
  UseGuards,
  type CanActivate,
  type DynamicModule,
  type ExecutionContext,
  type Provider,
} from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { afterEach, describe, expect, it } from '@jest/globals';
import { DuplicateTaskError, Task, TaskArg } from 'nestjs-task-queue';
import { TaskHarness, type TasksToRun } from './task-harness.js';

/** Counts the instances, so that a test sees which one ran. */
@Injectable()
class Counter {
  private count = 0;
  next(): number {
    return ++this.count;
  }
}

/** Refuses a task whose method has the metadata `refused`. It has a dependency, so only Nest can create it. */
@Injectable()
class RefuseMarked implements CanActivate {
  constructor(private readonly reflector: Reflector) {}
  canActivate(context: ExecutionContext): boolean {
    seen.push(`${context.getClass().name}.${context.getHandler().name}`);
    return !this.reflector.getAllAndOverride<boolean>('refused', [context.getHandler(), context.getClass()]);
  }
}

@Injectable({ scope: Scope.REQUEST })
class RefusePerRun extends RefuseMarked {}

const seen: string[] = [];

abstract class Mailer {
  @Task({ aliases: ['OldMailer.send'] })
  @UseGuards(RefuseMarked)
  async send(to: string): Promise<string> {
    return this.deliver(to);
  }

  @Task()
  @UseGuards(RefuseMarked)
  @SetMetadata('refused', true)
  async wipe(): Promise<string> {
    return 'wiped';
  }

  protected abstract deliver(to: string): Promise<string>;
}

@Injectable()
class SmtpMailer extends Mailer {
  protected async deliver(to: string): Promise<string> {
    return `smtp ${to}`;
  }
}

@Injectable({ scope: Scope.REQUEST })
class MailerPerRun extends SmtpMailer {}

let tasks: TaskHarness | undefined;
afterEach(async () => {
  seen.length = 0;
  await tasks?.close();
  tasks = undefined;
});

async function start(metadata: TasksToRun): Promise<TaskHarness> {
  return (tasks = await TaskHarness.start(metadata));
}

const proxied = <T extends object>(target: T): T => new Proxy(target, {});

/** A mock of a library that answers every property, also `constructor`. */
const mock = () =>
  new Proxy({}, { get: (_, key) => (key === 'then' ? undefined : (to: string) => `mock ${String(key)} ${to}`) });

describe('a task class behind another token', () => {
  it.each<[string, Provider[]]>([
    ['useClass', [{ provide: Mailer, useClass: SmtpMailer }]],
    ['useClass of a request-scoped class', [{ provide: Mailer, useClass: MailerPerRun }]],
    ['useFactory', [{ provide: Mailer, useFactory: () => new SmtpMailer() }]],
    ['useFactory that is async', [{ provide: Mailer, useFactory: async () => new SmtpMailer() }]],
    ['a request-scoped useFactory', [{ provide: Mailer, scope: Scope.REQUEST, useFactory: () => new SmtpMailer() }]],
    ['useValue', [{ provide: Mailer, useValue: new SmtpMailer() }]],
    ['useExisting', [SmtpMailer, { provide: Mailer, useExisting: SmtpMailer }]],
    ['useExisting of a request-scoped class', [MailerPerRun, { provide: Mailer, useExisting: MailerPerRun }]],
    [
      'useExisting of useExisting',
      [SmtpMailer, { provide: 'smtp', useExisting: SmtpMailer }, { provide: Mailer, useExisting: 'smtp' }],
    ],
    ['a proxy', [{ provide: Mailer, useFactory: () => proxied(new SmtpMailer()) }]],
    ['a subclass without a name', [{ provide: Mailer, useFactory: () => new (class extends SmtpMailer {})() }]],
  ])('runs under the name of the token, with its guards and aliases: %s', async (_, providers) => {
    const { run, result } = bound(await start({ providers }));
    await expect(result('Mailer.send', 'a@b.de')).resolves.toBe('smtp a@b.de');
    await expect(result('OldMailer.send', 'a@b.de')).resolves.toBe('smtp a@b.de');
    await expect(run('Mailer.wipe')).resolves.toMatchObject({ kind: 'failed' });
    expect(seen).toHaveLength(3);
  });

  it('may be a proxy around another provider', async () => {
    class Reports {
      @Task()
      async build(): Promise<string> {
        return 'built';
      }
    }
    @Injectable()
    class Monthly extends Reports {}
    const provider = { provide: Reports, inject: [Monthly], useFactory: (monthly: Monthly) => proxied(monthly) };
    const { result } = bound(await start({ providers: [Monthly, provider] }));
    await expect(result('Reports.build')).resolves.toBe('built');
    await expect(result('Monthly.build')).resolves.toBe('built');
  });

  it('runs under the name of its own class too, when no other provider has that class', async () => {
    const { result } = bound(await start({ providers: [{ provide: Mailer, useClass: SmtpMailer }] }));
    await expect(result('SmtpMailer.send', 'a@b.de')).resolves.toBe('smtp a@b.de');
  });

  it.each<[string, object, string]>([
    ['an object', { send: async (to: string) => `double ${to}` }, 'double x'],
    ['a mock of every property', mock(), 'mock send x'],
  ])('may be replaced by %s, and the guards of the class run', async (_, double, expected) => {
    const { result, run } = bound(await start({ providers: [{ provide: Mailer, useValue: double }] }));
    await expect(result('Mailer.send', 'x')).resolves.toBe(expected);
    expect(seen).toEqual(['Mailer.send']);
    await expect(run('Mailer.wipe')).resolves.toMatchObject({ kind: 'failed' });
  });

  it('fails with an error that names the class and the method when the replacement has no such method', async () => {
    const { result } = bound(await start({ providers: [{ provide: Mailer, useValue: {} }] }));
    await expect(result('Mailer.send', 'x')).rejects.toMatchObject({
      message: expect.stringContaining('The provider of Mailer has no method "send"') as unknown,
    });
  });

  it('is not a task when it is replaced by nothing', async () => {
    const { run } = bound(await start({ providers: [{ provide: Mailer, useValue: undefined }] }));
    await expect(run('Mailer.send', ['x'])).resolves.toMatchObject({ kind: 'postponed' });
  });

  it('is refused when two providers would run the same task', async () => {
    abstract class Named {
      @Task('send')
      async send(): Promise<void> {}
    }
    class First extends Named {}
    class Second extends Named {}
    await expect(start({ providers: [First, Second] })).rejects.toThrow(DuplicateTaskError);
  });
});

describe('a module that is imported twice', () => {
  @Injectable()
  class Reports {
    private readonly number: number;
    constructor(counter: Counter) {
      this.number = counter.next();
    }
    @Task()
    async build(): Promise<number> {
      return this.number;
    }
  }
  @Module({ providers: [Counter], exports: [Counter] })
  class CounterModule {}
  @Module({})
  class ReportsModule {
    static register(): DynamicModule {
      return { module: ReportsModule, imports: [CounterModule], providers: [Reports] };
    }
  }

  it('runs its tasks once, on the instance that was created first', async () => {
    const { result } = bound(await start({ imports: [ReportsModule.register(), ReportsModule.register()] }));
    await expect(result('Reports.build')).resolves.toBe(1);
  });

  it('is not the same as two modules with the same class', async () => {
    @Module({ imports: [CounterModule], providers: [Reports] })
    class OtherModule {}
    await expect(start({ imports: [ReportsModule.register(), OtherModule] })).rejects.toThrow(DuplicateTaskError);
  });
});

describe('a method that overrides a task', () => {
  abstract class Base {
    @Task()
    @UseGuards(RefuseMarked)
    @SetMetadata('refused', true)
    async guarded(_text?: string): Promise<string> {
      return 'base';
    }

    @Task()
    @UseGuards(RefusePerRun)
    @SetMetadata('refused', true)
    async perRun(): Promise<string> {
      return 'base';
    }

    @Task()
    @UseGuards(RefuseMarked)
    async piped(@TaskArg({ transform: (text: string) => text.toUpperCase() }) text: string): Promise<string> {
      return text;
    }
  }

  @Injectable()
  class Inherited extends Base {}

  @Injectable()
  class Overridden extends Base {
    override async guarded(): Promise<string> {
      return `derived ${await super.guarded()}`;
    }
    override async perRun(): Promise<string> {
      return 'derived';
    }
    override async piped(text: string): Promise<string> {
      return `derived ${text}`;
    }
  }

  @Injectable()
  class Twice extends Overridden {
    @SetMetadata('refused', false)
    override async guarded(): Promise<string> {
      return 'twice';
    }
    @UseGuards(RefuseMarked)
    override async perRun(): Promise<string> {
      return 'twice';
    }
  }

  it.each(['guarded', 'perRun'])('keeps the guard and the metadata that it reads: %s', async (method) => {
    const { run } = bound(await start({ providers: [Inherited, Overridden] }));
    for (const type of ['Inherited', 'Overridden']) {
      await expect(run(`${type}.${method}`)).resolves.toMatchObject({
        kind: 'failed',
        failure: { message: 'Forbidden resource' },
      });
    }
    expect(seen).toEqual([`Inherited.${method}`, `Overridden.${method}`]);
  });

  it('keeps the pipes of parameters', async () => {
    const { result } = bound(await start({ providers: [Overridden] }));
    await expect(result('Overridden.piped', 'x')).resolves.toBe('derived X');
  });

  it('adds its own guards, and its own metadata takes precedence', async () => {
    const { result, run } = bound(await start({ providers: [Twice] }));
    await expect(result('Twice.guarded')).resolves.toBe('twice');
    seen.length = 0;
    await expect(run('Twice.perRun')).resolves.toMatchObject({ kind: 'failed' });
    expect(seen).toEqual(['Twice.perRun']);
  });

  it('does not change the metadata of the methods of the classes', async () => {
    await start({ providers: [Overridden] });
    expect(Reflect.getMetadataKeys(Overridden.prototype.guarded)).toEqual([]);
  });

  it('does not start when a dependency of the guard cannot be resolved', async () => {
    class Missing {}
    @Injectable()
    class Needy implements CanActivate {
      constructor(readonly missing: Missing) {}
      canActivate(): boolean {
        return true;
      }
    }
    abstract class Guarded {
      @Task()
      @UseGuards(Needy)
      async run(): Promise<void> {}
    }
    @Injectable()
    class Derived extends Guarded {
      override async run(): Promise<void> {}
    }
    await expect(start({ providers: [Derived] })).rejects.toThrow(/resolve dependencies of the Needy/);
  });
});

function bound(harness: TaskHarness) {
  return {
    run: (name: string, args: unknown[] = []) => harness.run(name, args),
    result: (name: string, ...args: unknown[]) => harness.result(name, ...args),
  };
}
