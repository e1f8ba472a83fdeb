import { OnWorkerEvent, Processor, WorkerHost } from '@nestjs/bullmq';
import { Logger } from '@nestjs/common';
import { Job, UnrecoverableError } from 'bullmq';
import { Outside } from '../outside.js';

interface Welcome {
  userId: number;
  address?: string;
}

interface Digest {
  userIds: number[];
}

/** Sends the mails of the shop. */
@Processor('mail', { concurrency: 5, limiter: { max: 100, duration: 60_000 } })
export class MailProcessor extends WorkerHost {
  private readonly logger = new Logger(MailProcessor.name);

  constructor(private readonly outside: Outside) {
    super();
  }

  async process(job: Job<any, any, string>): Promise<any> {
    switch (job.name) {
      // The first mail of a customer.
      case 'welcome': {
        const { userId, address } = job.data as Welcome;
        // Without an address, another attempt cannot help.
        if (!address) throw new UnrecoverableError(`User ${userId} has no address`);
        await job.log(`to ${address}`);
        await this.outside.call('welcome', userId, job.id !== undefined, job.attemptsMade);
        return { sent: 1 };
      }
      case 'weekly-digest':
        return this.sendDigest(job);
      case 'cleanup':
        if (job.data.dryRun) break;
        await this.outside.call('cleanup', job.name);
        break;
      default:
        throw new Error(`No such job: ${job.name}`);
    }
  }

  /** One mail for each user. */
  private async sendDigest(job: Job<Digest>): Promise<{ sent: number }> {
    const { userIds } = job.data;
    for (const [index, userId] of userIds.entries()) {
      await this.outside.call('digest', userId);
      await job.updateProgress({ current: index + 1, total: userIds.length });
    }
    return { sent: userIds.length };
  }

  @OnWorkerEvent('completed')
  onCompleted(job: Job) {
    this.logger.log(`${job.name} ${job.id} is done`);
    void this.outside.call('completed', job.name);
  }

  @OnWorkerEvent('failed')
  onFailed(job: Job | undefined, error: Error) {
    void this.outside.call('failed', job?.name, error.message);
  }
}
