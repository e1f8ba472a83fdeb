import { setTimeout as pause } from 'node:timers/promises';
import { Task, TaskProcessor } from 'nestjs-task-queue';
import { OrderStore } from './order-store.js';

@TaskProcessor({ queue: 'orders' })
export class OrderTasks {
  constructor(private readonly orders: OrderStore) {}

  /** Ships an order. In this example that is a pause and a line in the database. */
  @Task({ retries: 3 })
  async ship(id: string): Promise<void> {
    await pause(50);
    await this.orders.ship(id);
  }
}
