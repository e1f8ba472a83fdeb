import {
  Inject,
  Injectable,
  Scope,
  UseGuards,
  UseInterceptors,
  UsePipes,
  UseFilters,
  Catch,
  type CallHandler,
  type CanActivate,
  type ExceptionFilter,
  type ExecutionContext,
  type NestInterceptor,
  type PipeTransform,
} from '@nestjs/common';
import { APP_GUARD, APP_INTERCEPTOR, REQUEST } from '@nestjs/core';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Task, TaskContext } from 'nestjs-task-queue';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Observable } from 'rxjs';
import { TaskHarness } from './task-harness.js';

let tasks: TaskHarness;
afterEach(() => tasks.close());

/** Each instance has a number of its own. */
let made = 0;

@Injectable({ scope: Scope.REQUEST })
class PerRun {
  readonly number = ++made;
  constructor(@Inject(REQUEST) readonly request: TaskContext) {}
}

@Injectable({ scope: Scope.REQUEST })
class Scoped {
  readonly number = ++made;
  constructor(
    private readonly other: PerRun,
    private readonly task: TaskContext,
  ) {}

  @Task()
  async run(): Promise<object> {
    await nextTurn();
    const { request } = this.other;
    return {
      number: this.number,
      other: this.other.number,
      request: [request instanceof TaskContext, request.id, request.headers, request.attempt],
      same: request.id === this.task.id,
    };
  }
}

@Injectable({ scope: Scope.TRANSIENT })
class Transient {
  readonly number = ++made;

  @Task()
  run(): number {
    return this.number;
  }
}

@Injectable({ scope: Scope.REQUEST })
class ScopedGuard implements CanActivate {
  readonly number = ++made;
  constructor(private readonly perRun: PerRun) {}
  canActivate(context: ExecutionContext): boolean {
    context.getArgs<unknown[]>().push(`guard ${this.number} ${this.perRun.request.id}`);
    return true;
  }
}

@Injectable({ scope: Scope.TRANSIENT })
class TransientInterceptor implements NestInterceptor {
  readonly number = ++made;
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    context.getArgs<unknown[]>().push(`interceptor ${this.number}`);
    return next.handle();
  }
}

@Injectable({ scope: Scope.REQUEST })
class ScopedPipe implements PipeTransform {
  readonly number = ++made;
  transform(value: unknown): unknown {
    return `${String(value)} piped ${this.number}`;
  }
}

@Catch()
@Injectable({ scope: Scope.REQUEST })
class ScopedFilter implements ExceptionFilter {
  readonly number = ++made;
  catch(error: Error): never {
    throw new Error(`${error.message} filtered ${this.number}`);
  }
}

@Injectable()
class Singleton {
  readonly number = ++made;

  @Task()
  run(...args: unknown[]): unknown[] {
    return [this.number, ...args];
  }
}

@Injectable()
class Guarded extends Singleton {
  @Task()
  @UseGuards(ScopedGuard)
  override run(...args: unknown[]): unknown[] {
    return super.run(...args);
  }
}

@Injectable()
class Enhanced {
  @Task()
  @UseInterceptors(TransientInterceptor)
  @UsePipes(ScopedPipe)
  @UseFilters(ScopedFilter)
  run(...args: unknown[]): unknown[] {
    if (String(args[0]).startsWith('bad')) throw new Error('bad');
    return args;
  }
}

async function twice(name: string, ...args: unknown[]): Promise<unknown[]> {
  made = 0;
  return [await tasks.result(name, ...args), await tasks.result(name, ...args)];
}

describe('the scope of a run', () => {
  it('has its own request-scoped providers, and the run as REQUEST', async () => {
    tasks = await TaskHarness.start({ providers: [Scoped, PerRun] });
    made = 0;
    const run = (id: string) => tasks.run('Scoped.run', [], { id, headers: { for: id }, attempt: 2 });
    const outcomes = await Promise.all(['a', 'b'].map(run));
    expect(outcomes).toMatchObject(
      ['a', 'b'].map((id) => ({ kind: 'succeeded', result: { request: [true, id, { for: id }, 2], same: true } })),
    );
    expect(made).toBe(4);
  });

  it('has its own transient provider', async () => {
    tasks = await TaskHarness.start({ providers: [Transient] });
    await expect(twice('Transient.run')).resolves.toEqual([1, 2]);
  });

  it('has its own instance of a singleton with a request-scoped guard, as controllers have', async () => {
    tasks = await TaskHarness.start({ providers: [Guarded, PerRun] });
    const [first, second] = await twice('Guarded.run', 'x');
    expect(first).toEqual([expect.any(Number), 'x', expect.stringMatching(/^guard \d+ /)]);
    expect(second).not.toEqual(first);
    expect(made).toBe(6);
  });

  it('has its own enhancers of every kind', async () => {
    tasks = await TaskHarness.start({ providers: [Enhanced] });
    const [first, second] = (await twice('Enhanced.run', 'x')) as string[][];
    expect(first).toEqual([expect.stringMatching(/^x piped \d$/), expect.stringMatching(/^interceptor \d piped \d$/)]);
    expect(second).not.toEqual(first);
    await expect(tasks.result('Enhanced.run', 'bad')).rejects.toMatchObject({
      message: expect.stringMatching(/^bad filtered \d$/),
    });
  });

  it('uses the one transient enhancer that Nest creates for a singleton, as for a controller', async () => {
    @Injectable()
    class Static extends Singleton {
      @Task()
      @UseInterceptors(TransientInterceptor)
      override run(...args: unknown[]): unknown[] {
        return super.run(...args);
      }
    }
    tasks = await TaskHarness.start({ providers: [Static] });
    const [first, second] = await twice('Static.run');
    expect(first).toEqual([expect.any(Number), expect.stringMatching(/^interceptor \d+$/)]);
    expect(second).toEqual(first);
    expect(made).toBe(0);
  });

  it('has its own enhancers of the application, around a singleton that keeps its one instance', async () => {
    tasks = await TaskHarness.start({
      providers: [
        Singleton,
        PerRun,
        { provide: APP_GUARD, useClass: ScopedGuard },
        { provide: APP_INTERCEPTOR, useClass: TransientInterceptor },
      ],
    });
    const { number } = tasks.app.get(Singleton);
    const [first, second] = (await twice('Singleton.run')) as unknown[][];
    expect(first).toEqual([number, expect.stringMatching(/^guard \d /), expect.stringMatching(/^interceptor \d$/)]);
    expect(second).toEqual([number, expect.any(String), expect.any(String)]);
    expect(second).not.toEqual(first);
  });

  it('has no enhancers of the application with enhancers: { global: false }', async () => {
    tasks = await TaskHarness.start({
      providers: [Singleton, PerRun, { provide: APP_GUARD, useClass: ScopedGuard }],
      enhancers: { global: false },
    });
    await expect(twice('Singleton.run', 'x')).resolves.toEqual([
      [expect.any(Number), 'x'],
      [expect.any(Number), 'x'],
    ]);
    expect(made).toBe(0);
  });
});
