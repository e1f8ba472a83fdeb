import { Task, TaskContext, TaskProcessor } from 'nestjs-task-queue';
import { InjectQueue } from '@nestjs/bullmq';
import type { Queue } from 'bullmq';
import { Outside } from '../outside.js';

export const BILLING_QUEUE = 'billing';

export enum BillingJob {
  CHARGE_CARD = 'charge-card',
  REFUND = 'refund',
  REFUND_ALL = 'refund-all',
  SEND_INVOICE = 'send-invoice',
}

interface Order {
  orderId: string;
  cents: number;
}

@TaskProcessor(BILLING_QUEUE)
export class BillingProcessor {
  constructor(
    private readonly outside: Outside,
    @InjectQueue('mail') private readonly mails: Queue,
    private readonly task: TaskContext,
  ) {}

  @Task({ name: BillingJob.CHARGE_CARD, accepts: 'job' })
  async chargeCard(data: Order): Promise<string | undefined> {
    const started = Date.now();
    const order = data;
    try {
      const receipt = await this.outside.call('charge', order.orderId, order.cents);
      await this.mails.add('welcome', { userId: 1, address: receipt });
      return receipt;
    } finally {
      // Also after an error.
      await this.outside.call('took', Date.now() - started >= 0);
    }
  }

  @Task({ name: BillingJob.REFUND_ALL, accepts: 'job' })
  async refundAll(data: Order): Promise<string | undefined> {
    const started = Date.now();
    const order = data;
    try {
      await this.refund(data, 'asked');
      return undefined;
    } finally {
      // Also after an error.
      await this.outside.call('took', Date.now() - started >= 0);
    }
  }

  @Task({ name: BillingJob.REFUND, accepts: 'job' })
  refundTask(data: Order): Promise<string | undefined> {
    return this.refundAll(data);
  }

  @Task({ name: BillingJob.SEND_INVOICE, accepts: 'job' })
  async sendInvoice(data: Order): Promise<string | undefined> {
    const started = Date.now();
    const order = data;
    try {
      await this.outside.call('invoice', order.orderId);
      return undefined;
    } finally {
      // Also after an error.
      await this.outside.call('took', Date.now() - started >= 0);
    }
  }

  private async refund(data: Order, why: string) {
    await this.outside.call('refund', data.orderId, why, this.task.maxAttempts);
  }

  // TODO(codemod): an event has nothing for job.data; TaskAdmin.task(event.id) has the arguments. See @OnTask().
  // @OnWorkerEvent('active')
  // onActive(job: Job<Order>) {
  //   void this.outside.call('active', job.data.orderId);
  // }

  // TODO(codemod): no event of this package stands for "error". See @OnTask().
  // @OnWorkerEvent('error')
  // onError(error: Error) {
  //   void this.outside.call('error', error.message);
  // }
}
