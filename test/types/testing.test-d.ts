import { defineTask, Task, type TaskHandle } from 'nestjs-task-queue';
import { TaskTesting, type DrainResult, type EnqueuedTask, type TaskAttempt } from 'nestjs-task-queue/testing';
import type { TaskMatchers } from 'nestjs-task-queue/testing/matchers';
import { expectType, typeTest, type Equal } from '../support/type-test.js';

class Reports {
  @Task()
  async build(_month: string, _since: Date): Promise<{ url: string; at: Date }> {
    return { url: '', at: new Date() };
  }

  @Task()
  clean(): void {}

  readonly name = 'reports';
}

const charge = defineTask<(order: string, cents: number) => Promise<boolean>>('billing.charge');

declare const tasks: TaskTesting;
declare const matchers: TaskMatchers<void>;

typeTest('enqueued() has the arguments as they come out of JSON', () => {
  expectType<Equal<(typeof all)[number], EnqueuedTask>>();
  const all = tasks.enqueued();
  const builds = tasks.enqueued(Reports, 'build');
  expectType<Equal<(typeof builds)[number]['args'], [_month: string, _since: string]>>();
  const charges = tasks.enqueued(charge);
  expectType<Equal<(typeof charges)[number]['args'], [order: string, cents: number]>>();
  // @ts-expect-error -- no method
  tasks.enqueued(Reports, 'biuld');
  // @ts-expect-error -- a property, and no method
  tasks.enqueued(Reports, 'name');
});

typeTest('expectations take the arguments of the method, a text for a Date, and matchers', () => {
  const matcher = { asymmetricMatch: () => true };
  expectType<Equal<ReturnType<typeof build>['args'], [_month: string, _since: string]>>();
  const build = () => tasks.expectEnqueued(Reports, 'build', ['2026-11', new Date()]);
  tasks.expectEnqueued(Reports, 'build', ['2026-11', '2026-11-27T00:00:00.000Z']);
  tasks.expectEnqueued(Reports, 'build', [matcher, matcher]);
  tasks.expectEnqueued(charge, ['o1', 100]);
  tasks.expectNothingEnqueued();
  tasks.expectNothingEnqueued(Reports);
  tasks.expectNothingEnqueued(Reports, 'clean', []);
  matchers.toHaveEnqueued(Reports, 'build', ['2026-11', matcher]);
  matchers.toHaveEnqueued(charge, [matcher, 100]);
  // @ts-expect-error -- a number
  tasks.expectEnqueued(Reports, 'build', [11, new Date()]);
  // @ts-expect-error -- too few
  tasks.expectEnqueued(Reports, 'build', ['2026-11']);
  // @ts-expect-error -- a number
  matchers.toHaveEnqueued(charge, [1, 100]);
});

typeTest('run() takes the arguments of the method, and its result is that of the task', async () => {
  const run = await tasks.run(Reports, 'build', '2026-11', new Date());
  expectType<Equal<typeof run, TaskAttempt<{ url: string; at: string }>>>();
  const charged = await tasks.run(charge, 'o1', 100);
  expectType<Equal<typeof charged.result, boolean | undefined>>();
  // @ts-expect-error -- a number
  await tasks.run(Reports, 'build', 11, new Date());
  // @ts-expect-error -- too many
  await tasks.run(Reports, 'clean', 1);
});

typeTest('the other calls are typed from the class too', async () => {
  const handle = {} as TaskHandle<number>;
  const [first] = await tasks.runTwice(handle);
  expectType<Equal<typeof first.result, number | undefined>>();
  const drained = await tasks.drain({ failures: 'collect' });
  expectType<Equal<typeof drained, DrainResult>>();
  expectType<Equal<typeof drained.succeeded, number>>();
  tasks.failNext(Reports, 'build', new Error('x'), { times: 2 });
  tasks.failNext(charge, new Error('x'));
  const inContext = tasks.context({ attempt: 2 }, () => 'given');
  expectType<Equal<typeof inContext, string>>();
  const reports = TaskTesting.producers(Reports);
  await reports.build.enqueue('2026-11', new Date());
  expectType<Equal<typeof reports.build.enqueued, EnqueuedTask[]>>();
  // @ts-expect-error -- no method
  tasks.failNext(Reports, 'biuld', new Error('x'));
  // @ts-expect-error -- no unit
  await tasks.advance('1 hour');
  // @ts-expect-error -- no mode
  TaskTesting.configure({} as never, { mode: 'fast' });
});
