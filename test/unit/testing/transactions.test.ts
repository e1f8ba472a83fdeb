import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable, Module } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import {
  chain,
  ConfigurationError,
  IdempotencyConflictError,
  InjectTasks,
  Task,
  TaskNotFoundError,
  TaskQueueModule,
  type Tasks,
} from 'nestjs-task-queue';
import { TaskTesting, type TaskTestingOptions } from 'nestjs-task-queue/testing';

@Injectable()
class Mails {
  readonly sent: number[] = [];

  @Task()
  async confirm(order: number): Promise<number> {
    this.sent.push(order);
    return order;
  }
}

@Injectable()
class Orders {
  constructor(@InjectTasks(Mails) readonly mails: Tasks<Mails>) {}
}

@Module({ imports: [TaskQueueModule.forRoot()], providers: [Mails, Orders] })
class App {}

/** Stands for a transaction of the application's database. */
const tx = { dialect: 'postgres' as const, query: async () => [] };

let moduleRef: TestingModule;
let tasks: TaskTesting;
let mails: Tasks<Mails>;

async function start(options?: TaskTestingOptions): Promise<void> {
  moduleRef = await TaskTesting.configure(Test.createTestingModule({ imports: [App] }), options).compile();
  tasks = moduleRef.get(TaskTesting);
  ({ mails } = moduleRef.get(Orders));
}
afterEach(() => moduleRef.close());

describe("transactions: 'hold'", () => {
  beforeEach(() => start({ transactions: 'hold' }));

  it('a call is enqueued when the test commits', async () => {
    const handle = await mails.confirm.in(tx).enqueue(1);
    expect(handle).toMatchObject({ deduplicated: false, initialState: 'queued' });
    await chain(mails.confirm.signature(2), mails.confirm.signature()).in(tx).enqueue();
    tasks.expectNothingEnqueued();
    await expect(handle.status()).rejects.toThrow(TaskNotFoundError);
    await expect(handle.result()).rejects.toThrow(/has not committed/);
    await tasks.commit();
    tasks.expectEnqueued(Mails, 'confirm', [1]);
    await tasks.drain();
    expect(moduleRef.get(Mails).sent).toEqual([1, 2, 2]);
    expect(await handle.result()).toBe(1);
  });

  it('a call is dropped when the test rolls back, or is reset', async () => {
    await mails.confirm.in(tx).enqueue(1);
    tasks.rollback();
    await mails.confirm.in(tx).enqueue(2);
    tasks.reset();
    await mails.confirm.in(tx).enqueue(3);
    await tasks.commit();
    expect(tasks.enqueued().map(({ args }) => args)).toEqual([[3]]);
  });

  it('an earlier task stands for a call, one that is held too', async () => {
    const confirm = mails.confirm.with({ idempotencyKey: 'order 1' });
    const { id } = await confirm.enqueue(1);
    expect(await confirm.in(tx).enqueue(1)).toMatchObject({ id, deduplicated: true });
    await expect(confirm.in(tx).enqueue(2)).rejects.toThrow(IdempotencyConflictError);
    const other = mails.confirm.with({ idempotencyKey: 'order 2' }).in(tx);
    const held = await other.enqueue(2);
    expect(await other.enqueue(2)).toMatchObject({ id: held.id, deduplicated: true });
    await expect(other.enqueue(3)).rejects.toThrow(IdempotencyConflictError);
    await tasks.commit();
    expect(tasks.enqueued()).toHaveLength(2);
  });

  it('a call without a transaction is stored at once', async () => {
    await mails.confirm.enqueue(1);
    tasks.expectEnqueued(Mails, 'confirm', [1]);
  });
});

it('in the mode inline, the tasks run at the commit', async () => {
  await start({ transactions: 'hold', mode: 'inline' });
  await mails.confirm.in(tx).enqueue(1);
  expect(moduleRef.get(Mails).sent).toEqual([]);
  await tasks.commit();
  expect(moduleRef.get(Mails).sent).toEqual([1]);
});

it('without the option, a call in a transaction is stored at once', async () => {
  await start();
  await mails.confirm.in(tx).enqueue(1);
  tasks.expectEnqueued(Mails, 'confirm', [1]);
  expect(() => tasks.rollback()).toThrow(ConfigurationError);
  expect(() => tasks.commit()).toThrow("transactions: 'hold'");
});

it('fakes of producers take any transaction', async () => {
  await start();
  const fakes = TaskTesting.producers(Mails);
  await fakes.confirm.in({}).enqueue(1);
  expect(fakes.confirm.enqueued).toMatchObject([{ args: [1] }]);
});
