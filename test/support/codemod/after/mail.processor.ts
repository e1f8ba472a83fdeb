import { OnTask, Task, TaskContext, type TaskEvent, TaskProcessor } from 'nestjs-task-queue';
import { Logger } from '@nestjs/common';
import { Outside } from '../outside.js';

interface Welcome {
  userId: number;
  address?: string;
}

interface Digest {
  userIds: number[];
}

/** Sends the mails of the shop. */
// TODO(codemod): the options of the worker belong into TaskQueueModule.forRoot({ queues: { … } }): { concurrency: 5, limiter: { max: 100, duration: 60_000 } }
@TaskProcessor('mail')
export class MailProcessor {
  private readonly logger = new Logger(MailProcessor.name);

  constructor(private readonly outside: Outside, private readonly task: TaskContext) {}

  // The first mail of a customer.
  @Task({ name: 'welcome', accepts: 'job' })
  async welcome(data: any) {
    const { userId, address } = data as Welcome;
    // Without an address, another attempt cannot help.
    if (!address) this.task.fail(`User ${userId} has no address`);
    await this.task.log(`to ${address}`);
    await this.outside.call('welcome', userId, this.task.id !== undefined, this.task.attempt - 1);
    return { sent: 1 };
  }

  @Task({ name: 'cleanup', accepts: 'job' })
  async cleanup(data: any) {
    if (data.dryRun) return;
    await this.outside.call('cleanup', this.task.name);
  }

  /** One mail for each user. */
  @Task({ name: 'weekly-digest', accepts: 'job' })
  async sendDigest(data: Digest): Promise<{ sent: number }> {
    const { userIds } = data;
    for (const [index, userId] of userIds.entries()) {
      await this.outside.call('digest', userId);
      await this.task.progress({ current: index + 1, total: userIds.length });
    }
    return { sent: userIds.length };
  }

  @OnTask('succeeded', { queue: 'mail' })
  onCompleted(event: TaskEvent<'succeeded'>) {
    this.logger.log(`${event.name} ${event.id} is done`);
    void this.outside.call('completed', event.name);
  }

  @OnTask(['failed', 'retrying'], { queue: 'mail' })
  onFailed(event: TaskEvent<'failed' | 'retrying'>) {
    void this.outside.call('failed', event.name, event.error?.message);
  }
}
