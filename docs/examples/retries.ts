import { Injectable } from '@nestjs/common';
import { Task, TaskContext, TaskQueueModule } from 'nestjs-task-queue';

export class CardDeclinedError extends Error {}

@Injectable()
export class Bank {
  async charge(_orderId: string): Promise<{ status: number; retryAfter: `${number}s` }> {
    return { status: 200, retryAfter: '30s' };
  }
}

@Injectable()
export class PaymentTasks {
  constructor(
    private readonly task: TaskContext,
    private readonly bank: Bank,
  ) {}

  @Task({ retries: 5, backoff: { type: 'exponential', delay: '2s', max: '5m' }, giveUpOn: [CardDeclinedError] })
  async charge(orderId: string): Promise<void> {
    const answer = await this.bank.charge(orderId);
    if (answer.status === 429) this.task.retry({ in: answer.retryAfter }); // uses up no attempt
    if (answer.status === 400) this.task.fail('The bank does not know this card.'); // no further attempt
  }
}

export const limitedQueues = TaskQueueModule.forRoot({
  queues: {
    mail: { concurrency: 20, rateLimit: { max: 100, per: '1m' } },
    reports: { concurrency: 2, globalConcurrency: 5 },
    imports: { maxQueued: 10_000, priorities: true },
  },
});
