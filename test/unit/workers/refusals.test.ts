import {
  BadRequestException,
  Catch,
  ForbiddenException,
  HttpException,
  Injectable,
  UnauthorizedException,
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
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Task, TaskContext } from 'nestjs-task-queue';
import { catchError, of, throwError, type Observable } from 'rxjs';
import { TaskHarness } from './task-harness.js';

let verdict: () => boolean = () => true;
let caught: () => unknown = () => undefined;
const logged: unknown[][] = [];
const seen: unknown[] = [];

class Guard implements CanActivate {
  canActivate(): boolean {
    return verdict();
  }
}

@Catch()
class Filter implements ExceptionFilter {
  catch(error: unknown, host: ArgumentsHost): unknown {
    seen.push(error, host.getType(), host.getArgs());
    return caught();
  }
}

/** Many applications have such an interceptor: it replaces every error. */
class Wrapping implements NestInterceptor {
  intercept(_: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(catchError(() => throwError(() => new HttpException('wrapped', 502))));
  }
}

class Swallowing implements NestInterceptor {
  intercept(_: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(catchError(() => of('swallowed')));
  }
}

@Injectable()
class Accounts {
  constructor(private readonly task: TaskContext) {}

  @Task({ retries: 2 })
  @UseGuards(Guard)
  guarded(): string {
    return 'done';
  }

  @Task({ retries: 2 })
  @UseFilters(Filter)
  filtered(): never {
    throw new RangeError('original');
  }

  @Task({ retries: 2 })
  @UseGuards(Guard)
  @UseFilters(Filter)
  both(): string {
    return 'done';
  }

  @Task({ retries: 2 })
  badRequest(): never {
    throw new BadRequestException('from the method');
  }

  @Task()
  @UseFilters(Filter)
  @UseInterceptors(Wrapping)
  later(): never {
    return this.task.retry({ in: '5s' });
  }

  @Task({ retries: 2 })
  @UseFilters(Filter)
  @UseInterceptors(Swallowing)
  hopeless(): never {
    return this.task.fail('declined');
  }
}

describe('a task that throws or is refused', () => {
  let tasks: TaskHarness;
  beforeAll(async () => {
    const write = (...line: unknown[]) => void logged.push(line);
    tasks = await TaskHarness.start({
      providers: [Accounts],
      logger: { error: write, warn: write, log: () => undefined },
    });
  });
  afterAll(() => tasks.close());
  beforeEach(() => {
    verdict = () => true;
    caught = () => undefined;
    logged.length = 0;
    seen.length = 0;
  });
  const throws = (error: unknown) => () => {
    throw error;
  };

  it('runs when the guard accepts the call', async () => {
    await expect(tasks.run('Accounts.guarded')).resolves.toEqual({ kind: 'succeeded', result: 'done' });
  });

  it.each<[string, () => boolean, unknown]>([
    [
      'refuses',
      () => false,
      { kind: 'failed', failure: { name: 'ForbiddenException', message: 'Forbidden resource', exposable: true } },
    ],
    ['throws 401', throws(new UnauthorizedException()), { kind: 'failed', failure: { name: 'UnauthorizedException' } }],
    ['throws 429', throws(new HttpException('busy', 429)), { kind: 'retry', failure: { message: 'busy' } }],
    ['throws 503', throws(new HttpException('down', 503)), { kind: 'retry', failure: { message: 'down' } }],
    ['breaks', throws(new TypeError('no database')), { kind: 'retry', failure: { message: 'no database' } }],
  ])('ends as expected when its guard %s', async (_, guard, outcome) => {
    verdict = guard;
    await expect(tasks.run('Accounts.guarded')).resolves.toMatchObject(outcome as object);
  });

  it('is retried after any error of the method itself', async () => {
    await expect(tasks.run('Accounts.badRequest')).resolves.toMatchObject({
      kind: 'retry',
      failure: { message: 'from the method' },
    });
  });

  it('fails with the error that a filter throws', async () => {
    caught = throws(new SyntaxError('translated'));
    await expect(tasks.run('Accounts.filtered')).resolves.toMatchObject({
      kind: 'retry',
      failure: { name: 'SyntaxError', message: 'translated' },
    });
    expect(seen).toEqual([expect.objectContaining({ message: 'original' }), 'task', []]);
  });

  it.each<[string, () => unknown, string]>([
    ['nothing', () => undefined, 'original'],
    ['a value', () => ({ statusCode: 200 }), 'original'],
    ['a promise', () => Promise.resolve('fine'), 'original'],
    ['a rejected promise', () => Promise.reject(new Error('rejected')), 'rejected'],
    ['an Observable', () => of('fine'), 'original'],
    [
      'an Observable that fails, like the filters for microservices',
      () => throwError(() => new Error('from rpc')),
      'from rpc',
    ],
  ])('stays failed when a filter returns %s', async (_, returned, message) => {
    caught = returned;
    await expect(tasks.run('Accounts.filtered')).resolves.toMatchObject({ kind: 'retry', failure: { message } });
  });

  it('fails at once when the call was refused, even when a filter throws another error', async () => {
    verdict = () => false;
    caught = throws(new Error('translated'));
    await expect(tasks.run('Accounts.both')).resolves.toMatchObject({
      kind: 'failed',
      failure: { message: 'translated' },
    });
    expect(seen[0]).toBeInstanceOf(ForbiddenException);
  });

  it('keeps the decision of context.retry() and context.fail(), whatever interceptors and filters do with errors', async () => {
    caught = throws(new Error('translated'));
    await expect(tasks.run('Accounts.later')).resolves.toEqual({ kind: 'postponed', delay: 5_000, asked: true });
    await expect(tasks.run('Accounts.hopeless')).resolves.toMatchObject({
      kind: 'failed',
      failure: { message: 'declined', exposable: true },
    });
    expect(seen).toEqual([]);
  });

  it('is postponed when a guard calls context.retry()', async () => {
    verdict = () => tasks.app.get(TaskContext).retry({ in: '1s' });
    await expect(tasks.run('Accounts.both')).resolves.toEqual({ kind: 'postponed', delay: 1_000, asked: true });
    expect(seen).toEqual([]);
  });

  it('has its failure logged once', async () => {
    await tasks.run('Accounts.filtered', [], { attempt: 3 });
    await tasks.run('Accounts.badRequest', [], { attempt: 3 });
    expect(logged).toHaveLength(2);
  });
});
