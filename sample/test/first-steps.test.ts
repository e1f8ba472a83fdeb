/** How an application tests its tasks: no server, no time to wait for. The guide is docs/testing.md. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Test, type TestingModule } from '@nestjs/testing';
import { chain, TaskQueue, TaskQueueModule } from 'nestjs-task-queue';
import { TaskTesting } from 'nestjs-task-queue/testing';
import { FirstStepsController } from '../src/first-steps/first-steps.controller.js';
import { FirstStepsModule } from '../src/first-steps/first-steps.module.js';
import { FirstSteps } from '../src/first-steps/first-steps.tasks.js';

describe('the first steps', () => {
  let moduleRef: TestingModule;
  let tasks: TaskTesting;
  let controller: FirstStepsController;

  beforeEach(async () => {
    const imports = [TaskQueueModule.forRoot(), FirstStepsModule];
    const builder = Test.createTestingModule({ imports });
    moduleRef = await TaskTesting.configure(builder).compile();
    tasks = moduleRef.get(TaskTesting);
    controller = moduleRef.get(FirstStepsController);
  });
  afterEach(() => moduleRef.close());

  it('an addition is enqueued for the visitor, and its handle has the sum', async () => {
    const handle = await controller.add('ann', { a: 2, b: 3 });
    const { headers } = tasks.expectEnqueued(FirstSteps, 'add', [2, 3]);
    expect(headers).toEqual({ visitor: 'ann' });
    await tasks.drain();
    expect(await handle.result()).toBe(5);
  });

  it('the first addition fails because of a planned error, and runs again after retry()', async () => {
    tasks.failNext(FirstSteps, 'add', new Error('no more paper'));
    const handle = await controller.add('ann', { a: 2, b: 3 });
    await expect(tasks.drain()).rejects.toThrow('no more paper');
    await handle.retry();
    await tasks.drain();
    expect(await handle.result()).toBe(5);
  });

  it('naps do not keep additions waiting', async () => {
    await controller.nap('ann', { seconds: 60, times: 100 });
    expect(tasks.enqueued(FirstSteps, 'sleep')).toHaveLength(100);
    tasks.expectNothingEnqueued(FirstSteps, 'add');
    expect(new Set(tasks.enqueued().map(({ queue }) => queue))).toEqual(new Set(['naps']));
  });

  it('one attempt of a task runs in place', async () => {
    expect(await tasks.run(FirstSteps, 'add', 20, 22)).toMatchObject({ outcome: 'succeeded', result: 42 });
  });

  it('a chain passes a sum on', async () => {
    const { add } = moduleRef.get(TaskQueue).of(FirstSteps);
    const handle = await chain(add.signature(2, 3), add.signature(4)).enqueue();
    await tasks.drain();
    expect(await handle.result()).toBe(9);
  });

  it('calls with one idempotency key are one task', async () => {
    const once = moduleRef.get(TaskQueue).of(FirstSteps).add.with({ idempotencyKey: 'order-17' });
    const [first, second] = [await once.enqueue(1, 1), await once.enqueue(1, 1)];
    expect(second).toMatchObject({ id: first.id, deduplicated: true });
    expect(tasks.enqueued(FirstSteps, 'add')).toHaveLength(1);
  });

  it('a nap ends when its signal is aborted', async () => {
    const reason = new Error('wake up');
    const nap = tasks.context({ signal: AbortSignal.abort(reason) }, () => moduleRef.get(FirstSteps).sleep(60));
    await expect(nap).rejects.toMatchObject({ cause: reason });
  });
});

it('a unit test needs no module', async () => {
  const steps = TaskTesting.producers(FirstSteps);
  const controller = new FirstStepsController(steps, undefined as unknown as TaskQueue);
  await controller.add('ann', { a: 2, b: 3 });
  expect(steps.add.enqueued).toMatchObject([{ args: [2, 3], headers: { visitor: 'ann' } }]);
});
