import { Injectable } from '@nestjs/common';
import { defineTask, InjectTasks, Task, TaskContext, TaskProcessor, type ProducerOf } from 'nestjs-task-queue';
import { z } from 'zod';

export class AddressRejectedError extends Error {}

@Injectable()
export class Mailer {
  readonly sent: number[] = [];

  async send(userId: number): Promise<void> {
    this.sent.push(userId);
  }
}

@TaskProcessor('mail') // @Injectable(), and a queue for all tasks of the class
export class MailTasks {
  constructor(private readonly mailer: Mailer) {}

  @Task({
    name: 'mail.welcome', // default: MailTasks.welcome
    retries: 5, // attempts after the first; default 0
    backoff: { type: 'exponential', delay: '1s', max: '10m', jitter: 0.5 }, // the default
    giveUpOn: [AddressRejectedError], // or a predicate; retryOn likewise
    timeout: '30s', // of one attempt
    slow: '10s', // one warning in the log for an attempt that takes longer, and goes on
    expires: '1h', // a task that has not started by then never runs
    unique: { while: 'running', key: (userId: number) => `welcome ${userId}` },
    schema: z.tuple([z.number().int()]), // any Standard Schema, for the list of arguments
    resultTtl: '1h',
  })
  async welcome(userId: number): Promise<void> {
    await this.mailer.send(userId);
  }
}

@Injectable()
export class Reports {
  @Task({ aliases: ['OldReports.build'] })
  async build(month: string): Promise<string> {
    return `/reports/${month}.pdf`;
  }
}

@Injectable()
export class ImportTasks {
  constructor(private readonly task: TaskContext) {}

  @Task({ retries: 3 })
  async run(rows: number): Promise<number> {
    for (let row = 1; row <= rows; row++) {
      this.task.signal.throwIfAborted(); // cancelled, timed out, or the process closes
      await this.task.progress(row, rows, 'importing');
    }
    await this.task.log(`attempt ${this.task.attempt} of ${this.task.maxAttempts}`);
    return rows;
  }
}

export const charge = defineTask<(orderId: string, cents: number) => Promise<string>>('billing.charge', {
  queue: 'billing',
});

@Injectable()
export class Billing {
  @Task(charge) // in the worker
  async charge(orderId: string, cents: number): Promise<string> {
    return `${orderId}: ${cents}`;
  }
}

@Injectable()
export class Checkout {
  constructor(@InjectTasks(charge) private readonly billing: ProducerOf<typeof charge>) {} // in the producer

  pay(orderId: string) {
    return this.billing.enqueue(orderId, 1999);
  }
}
