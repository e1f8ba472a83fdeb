import { Injectable } from '@nestjs/common';
import { InjectTasks, Task, type TaskBatch, type Tasks } from 'nestjs-task-queue';

interface Order {
  readonly shop: string;
  readonly cents: number;
}

abstract class Database {
  abstract insertOrders(orders: readonly Order[]): Promise<readonly number[]>;
}

@Injectable()
export class OrderTasks {
  constructor(private readonly database: Database) {}

  @Task({ queue: 'orders', batch: { size: 500, wait: '200ms' }, retries: 5 })
  async store(calls: TaskBatch<[Order]>): Promise<readonly number[]> {
    return this.database.insertOrders(calls.map(({ args: [order] }) => order));
  }
}

@Injectable()
export class OrderService {
  constructor(@InjectTasks(OrderTasks) private readonly orders: Tasks<OrderTasks>) {}

  async place(order: Order): Promise<number> {
    const handle = await this.orders.store.enqueue(order);
    return handle.result();
  }
}
