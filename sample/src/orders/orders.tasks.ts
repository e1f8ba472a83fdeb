import { Task, type TaskBatch, TaskProcessor } from 'nestjs-task-queue';
import { OrderDatabase } from './order-database.js';
import type { Order } from './order-statements.js';
import { isOutage } from './outage.js';

@TaskProcessor('orders')
export class OrderTasks {
  constructor(private readonly database: OrderDatabase) {}

  /** Writes up to 500 orders in one transaction. Each shop has enqueued one order, and has a handle of its own. */
  @Task({ batch: { size: 500, wait: '200ms' }, retries: 5, ignoreResult: true })
  async store(calls: TaskBatch<[Order]>): Promise<void> {
    try {
      await this.database.write(calls.map(({ id, args: [order] }) => ({ id, ...order })));
    } catch (error) {
      if (!isOutage(error)) throw error;
      // The orders wait for the database. That uses up none of their attempts.
      for (const call of calls) call.retry({ in: '1s' });
    }
  }

  /** Is enqueued in the transaction of the order, so the order is there. A queue with batches can have no other task. */
  @Task({ queue: 'confirmations', retries: 5 })
  async confirm(order: string): Promise<void> {
    await this.database.transaction((tx) =>
      tx.query('UPDATE sample.confirmed SET confirmed_at = now() WHERE id = $1', [order]),
    );
  }
}
