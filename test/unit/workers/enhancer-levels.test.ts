import {
  Catch,
  Inject,
  Injectable,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
  type ArgumentsHost,
  type CallHandler,
  type CanActivate,
  type ExceptionFilter,
  type ExecutionContext,
  type NestInterceptor,
  type PipeTransform,
  type Type,
} from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR, APP_PIPE } from '@nestjs/core';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Task } from 'nestjs-task-queue';
import { tap, type Observable } from 'rxjs';
import { TaskHarness, type TasksToRun } from './task-harness.js';

/** Nest injects it, so an enhancer that Nest did not create has none. */
class Journal {
  readonly steps: string[] = [];
}

/** One class of each kind. Each records that it ran, and at which level. */
function enhancersAt(level: string) {
  @Injectable()
  class Guard implements CanActivate {
    constructor(@Inject(Journal) private readonly journal: Journal) {}
    canActivate(context: ExecutionContext): boolean {
      this.journal.steps.push(`guard ${level} ${context.getType()}`);
      return true;
    }
  }
  @Injectable()
  class Interceptor implements NestInterceptor {
    constructor(@Inject(Journal) private readonly journal: Journal) {}
    intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
      this.journal.steps.push(`before ${level} ${context.getType()}`);
      return next.handle().pipe(tap(() => this.journal.steps.push(`after ${level} ${context.getType()}`)));
    }
  }
  @Injectable()
  class Pipe implements PipeTransform {
    constructor(@Inject(Journal) private readonly journal: Journal) {}
    transform(value: unknown): unknown {
      this.journal.steps.push(`pipe ${level} ${String(value)}`);
      return `${String(value)}>${level}`;
    }
  }
  @Catch(RangeError)
  class Filter implements ExceptionFilter {
    constructor(@Inject(Journal) private readonly journal: Journal) {}
    catch(error: RangeError, host: ArgumentsHost): never {
      this.journal.steps.push(`filter ${level} ${host.getType()}`);
      throw new SyntaxError(`${error.message} at ${level}`);
    }
  }
  return { Guard, Interceptor, Pipe, Filter };
}

const onMethod = enhancersAt('method');
const onClass = enhancersAt('class');
const inModule = enhancersAt('module');

@Injectable()
class Decorated {
  @Task()
  @UseGuards(onMethod.Guard)
  @UseInterceptors(onMethod.Interceptor)
  @UsePipes(onMethod.Pipe)
  @UseFilters(onMethod.Filter)
  method(text: string): string {
    if (text.startsWith('bad')) throw new RangeError(text);
    return text;
  }
}

@Injectable()
@UseGuards(onClass.Guard)
@UseInterceptors(onClass.Interceptor)
@UsePipes(onClass.Pipe)
@UseFilters(onClass.Filter)
class DecoratedClass extends Decorated {}

@Injectable()
class Bare {
  @Task()
  method(text: string): string {
    if (text.startsWith('bad')) throw new RangeError(text);
    return text;
  }
}

const appProviders = [
  { provide: APP_GUARD, useClass: inModule.Guard },
  { provide: APP_INTERCEPTOR, useClass: inModule.Interceptor },
  { provide: APP_PIPE, useClass: inModule.Pipe },
  { provide: APP_FILTER, useClass: inModule.Filter },
];

describe('enhancers around a task', () => {
  let tasks: TaskHarness;
  let journal: Journal;
  afterEach(() => tasks.close());

  async function start(type: Type, { providers = [], ...rest }: TasksToRun = {}): Promise<void> {
    journal = new Journal();
    tasks = await TaskHarness.start({
      ...rest,
      providers: [type, { provide: Journal, useValue: journal }, ...providers],
    });
  }

  function useGlobal(): TasksToRun['configure'] {
    return (app) => {
      const { Guard, Interceptor, Pipe, Filter } = enhancersAt('global');
      const own = app.get(Journal);
      app.useGlobalGuards(new Guard(own));
      app.useGlobalInterceptors(new Interceptor(own));
      app.useGlobalPipes(new Pipe(own));
      app.useGlobalFilters(new Filter(own));
    };
  }

  const steps = (level: string) => [
    `guard ${level} task`,
    `before ${level} task`,
    `pipe ${level} x`,
    `after ${level} task`,
  ];

  it.each<[string, Type, () => TasksToRun]>([
    ['method', Decorated, () => ({})],
    ['module', Bare, () => ({ providers: appProviders })],
    ['global', Bare, () => ({ configure: useGlobal() })],
  ])('run as guards, interceptors and pipes of the level %s', async (level, type, setUp) => {
    await start(type, setUp());
    await expect(tasks.result(`${type.name}.method`, 'x')).resolves.toBe(`x>${level}`);
    expect(journal.steps).toEqual(steps(level));
  });

  it.each<[string, Type, () => TasksToRun]>([
    ['method', Decorated, () => ({})],
    ['module', Bare, () => ({ providers: appProviders })],
    ['global', Bare, () => ({ configure: useGlobal() })],
    // Only the nearest filter that matches the error gets it.
    ['method', DecoratedClass, () => ({ providers: appProviders, configure: useGlobal() })],
  ])('get errors as filters of the level %s', async (level, type, setUp) => {
    await start(type, setUp());
    await expect(tasks.result(`${type.name}.method`, 'bad')).rejects.toMatchObject({
      name: 'SyntaxError',
      message: expect.stringMatching(`^bad.* at ${level}$`),
    });
    expect(journal.steps.filter((step) => step.startsWith('filter'))).toEqual([`filter ${level} task`]);
  });

  it('run in the order of Nest: global, class, method', async () => {
    await start(DecoratedClass, { providers: appProviders, configure: useGlobal() });
    await expect(tasks.result('DecoratedClass.method', 'x')).resolves.toBe('x>module>global>class>method');
    expect(journal.steps).toEqual([
      'guard module task',
      'guard global task',
      'guard class task',
      'guard method task',
      'before module task',
      'before global task',
      'before class task',
      'before method task',
      'pipe module x',
      'pipe global x>module',
      'pipe class x>module>global',
      'pipe method x>module>global>class',
      'after method task',
      'after class task',
      'after global task',
      'after module task',
    ]);
  });

  it('do not include those of the application with enhancers: { global: false }', async () => {
    await start(DecoratedClass, { providers: appProviders, configure: useGlobal(), enhancers: { global: false } });
    await expect(tasks.result('DecoratedClass.method', 'x')).resolves.toBe('x>class>method');
    expect(journal.steps.filter((step) => /module|global/.test(step.split('x', 1)[0]!))).toEqual([]);
  });

  it.each([
    ['guards', ['before', 'pipe', 'after']],
    ['interceptors', ['guard', 'pipe']],
    ['pipes', ['guard', 'before', 'after']],
  ] as const)('do not include the %s of the application when they are left out', async (kind, expected) => {
    await start(Bare, { providers: appProviders, enhancers: { global: { [kind]: false } } });
    await tasks.result('Bare.method', 'x');
    expect(journal.steps.map((step) => step.split(' ')[0])).toEqual(expected);
  });

  it('do not include the filters of the application when they are left out', async () => {
    await start(Bare, { providers: appProviders, enhancers: { global: { filters: false } } });
    await expect(tasks.result('Bare.method', 'bad')).rejects.toMatchObject({ name: 'RangeError' });
    expect(journal.steps.some((step) => step.startsWith('filter'))).toBe(false);
  });

  it('do not include the excepted classes', async () => {
    const { Guard, Interceptor } = enhancersAt('http');
    await start(Bare, {
      configure: (app) => app.useGlobalGuards(new Guard(journal)).useGlobalInterceptors(new Interceptor(journal)),
      enhancers: { global: true, except: [Interceptor] },
    });
    await expect(tasks.result('Bare.method', 'x')).resolves.toBe('x');
    expect(journal.steps).toEqual(['guard http task']);
  });
});
