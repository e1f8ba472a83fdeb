import {
  Catch,
  Injectable,
  SetMetadata,
  UseFilters,
  UseGuards,
  UseInterceptors,
  type ArgumentsHost,
  type CallHandler,
  type CanActivate,
  type ExceptionFilter,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { getTaskContext, Task, type TaskContextType } from 'nestjs-task-queue';
import { EMPTY, from, map, of, type Observable } from 'rxjs';
import { TaskHarness } from './task-harness.js';

const seen: unknown[] = [];
const returned: Record<string, () => unknown> = {};

class Observer implements CanActivate, NestInterceptor {
  canActivate(context: ExecutionContext): boolean {
    seen.push({
      type: context.getType<TaskContextType>(),
      class: context.getClass(),
      handler: context.getHandler(),
      args: [...context.getArgs()],
      first: context.getArgByIndex<unknown>(0),
      role: new Reflector().get<string>('role', context.getHandler()),
      task: getTaskContext(context).name,
      headers: getTaskContext(context).headers,
    });
    return true;
  }

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    context.getArgs<unknown[]>()[1] = 'from the interceptor';
    return next.handle().pipe(map((result) => ({ result, task: getTaskContext(context).id })));
  }
}

@Catch()
class Filter implements ExceptionFilter {
  catch(error: Error, host: ArgumentsHost): never {
    throw new Error(`${error.message} in ${getTaskContext(host).name} (${host.getArgs().join()})`);
  }
}

class Empty implements NestInterceptor {
  intercept(): Observable<never> {
    return EMPTY;
  }
}

@Injectable()
class Base {
  @Task()
  @SetMetadata('role', 'admin')
  @UseGuards(Observer)
  @UseInterceptors(Observer)
  @UseFilters(Filter)
  run(first: string, second?: string): string {
    if (first === 'bad') throw new Error('failed');
    return `${first} ${second}`;
  }

  @Task()
  returns(kind: string): unknown {
    return returned[kind]?.();
  }

  @Task()
  @UseInterceptors(Observer)
  streams(): Observable<number> {
    return from([1, 2, 3]);
  }

  @Task()
  @UseInterceptors(Empty)
  nothing(): string {
    return 'not seen';
  }
}

@Injectable()
class Derived extends Base {}

describe('the execution context of a task', () => {
  let tasks: TaskHarness;
  beforeAll(async () => {
    tasks = await TaskHarness.start({ providers: [Derived] });
  });
  afterAll(() => tasks.close());

  it('gives guards the type, class, method, arguments and the task', async () => {
    await tasks.run('Derived.run', ['a', { b: 1 }], { headers: { tenant: 't1' } });
    expect(seen).toEqual([
      {
        type: 'task',
        class: Derived,
        handler: Base.prototype.run,
        args: ['a', { b: 1 }],
        first: 'a',
        role: 'admin',
        task: 'Derived.run',
        headers: { tenant: 't1' },
      },
    ]);
  });

  it('lets an interceptor change the arguments and the result', async () => {
    await expect(tasks.run('Derived.run', ['a', 'b'], { id: 'the-id' })).resolves.toEqual({
      kind: 'succeeded',
      result: { result: 'a from the interceptor', task: 'the-id' },
    });
  });

  it('gives filters the same', async () => {
    await expect(tasks.result('Derived.run', 'bad')).rejects.toMatchObject({
      message: 'failed in Derived.run (bad,from the interceptor)',
    });
  });

  it('has no TaskContext outside of a task', () => {
    expect(() => getTaskContext(new ExecutionContextHost(['a']))).toThrow(/of type "http"/);
  });

  it.each<[string, () => unknown, unknown]>([
    ['an Observable', () => of(1, 2, 3), 3],
    ['a promise of an Observable', () => Promise.resolve(of('x')), 'x'],
    ['an Observable without a value', () => EMPTY, undefined],
    ['a value', () => 'value', 'value'],
  ])('the result is the last value of %s', async (kind, make, result) => {
    returned[kind] = make;
    await expect(tasks.result('Derived.returns', kind)).resolves.toEqual(result);
  });

  it('the result is the last value of the Observable that interceptors return', async () => {
    await expect(tasks.result('Derived.streams')).resolves.toMatchObject({ result: 3 });
    await expect(tasks.result('Derived.nothing')).resolves.toBeUndefined();
  });
});
