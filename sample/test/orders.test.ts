/** How an application tests batches, outages of its database and tasks in transactions, without a database. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Test, type TestingModule } from '@nestjs/testing';
import { TaskQueue, TaskQueueModule } from 'nestjs-task-queue';
import { TaskTesting } from 'nestjs-task-queue/testing';
import { OrderDatabase } from '../src/orders/order-database.js';
import type { NamedOrder } from '../src/orders/order-statements.js';
import { OrdersController } from '../src/orders/orders.controller.js';
import { OrdersModule } from '../src/orders/orders.module.js';
import { OrderTasks } from '../src/orders/orders.tasks.js';
import type { SqlTransaction } from '../src/orders/sql-database.js';

/** Takes the place of the database. The fake remembers the batches, and can be stopped. */
class FakeDatabase {
  readonly batches: (readonly NamedOrder[])[] = [];
  isStopped = false;

  async write(orders: readonly NamedOrder[]): Promise<void> {
    if (this.isStopped) throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
    if (orders.some(({ quantity }) => quantity < 0)) throw Object.assign(new Error('negative'), { code: '23514' });
    this.batches.push(orders);
  }

  transaction<Result>(work: (tx: SqlTransaction) => Promise<Result>): Promise<Result> {
    return work({ dialect: 'postgres', query: async () => [] });
  }
}

const order = (quantity = 1) => ({ load: 'a load', shop: 1, product: 2, quantity });

describe('orders', () => {
  let moduleRef: TestingModule;
  let tasks: TaskTesting;
  let database: FakeDatabase;
  const producer = () => moduleRef.get(TaskQueue).of(OrderTasks);

  beforeEach(async () => {
    database = new FakeDatabase();
    const builder = Test.createTestingModule({ imports: [TaskQueueModule.forRoot(), OrdersModule] })
      .overrideProvider(OrderDatabase)
      .useValue(database);
    moduleRef = await TaskTesting.configure(builder, { transactions: 'hold' }).compile();
    tasks = moduleRef.get(TaskTesting);
  });
  afterEach(() => moduleRef.close());

  it('the calls of many shops are written in one batch, under the ids of their tasks', async () => {
    const handles = [await producer().store.enqueue(order()), await producer().store.enqueue(order(2))];
    await tasks.drain();
    expect(database.batches).toEqual([
      [
        { id: handles[0]?.id, ...order() },
        { id: handles[1]?.id, ...order(2) },
      ],
    ]);
  });

  it('a stopped database uses up no attempt, however long it is stopped', async () => {
    database.isStopped = true;
    const handle = await producer().store.enqueue(order());
    for (let second = 0; second < 20; second++) {
      await tasks.drain();
      await tasks.advance('1s');
    }
    expect(await handle.status()).toMatchObject({ state: 'retrying', attempt: 0 });
    database.isStopped = false;
    await tasks.drain();
    expect(await handle.status()).toMatchObject({ state: 'succeeded' });
  });

  it('an order that the database refuses fails alone', async () => {
    const bad = await producer().store.enqueue(order(-1));
    const good = await producer().store.enqueue(order());
    for (let attempt = 0; attempt < 10; attempt++) {
      await tasks.drain({ failures: 'collect' });
      await tasks.advance('1h');
    }
    expect(await bad.status()).toMatchObject({ state: 'failed', error: { message: 'negative' } });
    expect(await good.status()).toMatchObject({ state: 'succeeded' });
  });

  it('a confirmation is enqueued when the transaction of its order commits, and never when it is rolled back', async () => {
    const controller = moduleRef.get(OrdersController);
    await controller.order('ann', { isPaid: true });
    tasks.expectNothingEnqueued(OrderTasks);
    await tasks.commit();
    expect(tasks.enqueued(OrderTasks, 'confirm')).toMatchObject([{ headers: { visitor: 'ann' } }]);

    await expect(controller.order('bob', { isPaid: false })).rejects.toThrow('The payment was refused');
    tasks.rollback();
    expect(tasks.enqueued(OrderTasks, 'confirm')).toHaveLength(1);
  });
});
