import {
  Injectable,
  UseInterceptors,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Task, TaskCancelledError, WorkerClosingError } from 'nestjs-task-queue';
import { Interruption } from '../../../lib/engine/interruption.js';
import { NEVER, Observable, Subject, timeout } from 'rxjs';
import { TaskHarness } from './task-harness.js';

let subscribed = new Subject<void>();
let unsubscribed = 0;

class Pass implements NestInterceptor {
  intercept(_: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle();
  }
}

class Limit implements NestInterceptor {
  intercept(_: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(timeout(1));
  }
}

@Injectable()
class Endless {
  @Task()
  run(): Observable<never> {
    return new Observable(() => {
      subscribed.complete();
      return () => void unsubscribed++;
    });
  }

  @Task()
  @UseInterceptors(Pass)
  intercepted(): Observable<never> {
    return this.run();
  }

  @Task()
  @UseInterceptors(Limit)
  limited(): Observable<never> {
    return NEVER;
  }
}

let tasks: TaskHarness;
beforeAll(async () => {
  tasks = await TaskHarness.start({ providers: [Endless] });
});
afterAll(() => tasks.close());

it.each<[string, Error, object]>([
  ['Endless.run', new TaskCancelledError('not wanted'), { kind: 'failed', failure: { name: 'TaskCancelledError' } }],
  [
    'Endless.intercepted',
    new TaskCancelledError('not wanted'),
    { kind: 'failed', failure: { name: 'TaskCancelledError' } },
  ],
  ['Endless.run', new WorkerClosingError(), { kind: 'postponed' }],
])('the run unsubscribes from the Observable of %s when it has to end', async (name, reason, outcome) => {
  subscribed = new Subject();
  unsubscribed = 0;
  const interruption = new Interruption();
  const run = tasks.run(name, [], { interruption });
  await new Promise<void>((resolve) => subscribed.subscribe({ complete: resolve }));
  interruption.request(reason);
  await expect(run).resolves.toMatchObject(outcome);
  expect(unsubscribed).toBe(1);
});

it('a task fails when the timeout of an interceptor is over', async () => {
  await expect(tasks.result('Endless.limited')).rejects.toMatchObject({ name: 'TimeoutError' });
});
