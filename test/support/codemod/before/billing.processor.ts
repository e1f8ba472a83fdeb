import { InjectQueue, OnWorkerEvent, Processor, WorkerHost } from '@nestjs/bullmq';
import type { Job, Queue } from 'bullmq';
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

@Processor(BILLING_QUEUE)
export class BillingProcessor extends WorkerHost {
  constructor(
    private readonly outside: Outside,
    @InjectQueue('mail') private readonly mails: Queue,
  ) {
    super();
  }

  async process(job: Job<Order>): Promise<string | undefined> {
    const started = Date.now();
    const { name, data: order } = job;
    try {
      switch (name) {
        case BillingJob.CHARGE_CARD: {
          const receipt = await this.outside.call('charge', order.orderId, order.cents);
          await this.mails.add('welcome', { userId: 1, address: receipt });
          return receipt;
        }
        case BillingJob.REFUND:
        case BillingJob.REFUND_ALL:
          await this.refund(job, 'asked');
          break;
        case BillingJob.SEND_INVOICE:
          await this.outside.call('invoice', order.orderId);
          break;
      }
      return undefined;
    } finally {
      // Also after an error.
      await this.outside.call('took', Date.now() - started >= 0);
    }
  }

  private async refund(job: Job<Order>, why: string) {
    await this.outside.call('refund', job.data.orderId, why, job.opts.attempts);
  }

  @OnWorkerEvent('active')
  onActive(job: Job<Order>) {
    void this.outside.call('active', job.data.orderId);
  }

  @OnWorkerEvent('error')
  onError(error: Error) {
    void this.outside.call('error', error.message);
  }
}
