import { Injectable } from '@nestjs/common';
import { Task, type TaskBatch } from 'nestjs-task-queue';

interface Order {
  readonly shop: string;
  readonly cents: number;
}

export abstract class Database {
  abstract insertOrders(orders: readonly Order[]): Promise<void>;
}

@Injectable()
export class OrderTasks {
  constructor(private readonly database: Database) {}

  @Task({ queue: 'orders', batch: { size: 500, wait: '200ms' }, retries: 5 })
  async store(calls: TaskBatch<[Order]>): Promise<void> {
    await this.database.insertOrders(calls.map(({ args: [order] }) => order));
  }
}
