import { Task, TaskProcessor } from 'nestjs-task-queue';
import { Database } from '../database/database.js';
import { Mailer, MailRefusedError } from '../mails/mailer.js';

@TaskProcessor({
  queue: 'mails',
  timeout: '30s',
  retries: 8,
  backoff: { type: 'exponential', delay: '2s', max: '10m' },
  giveUpOn: MailRefusedError,
})
export class ReviewTasks {
  constructor(
    private readonly database: Database,
    private readonly mailer: Mailer,
  ) {}

  /** Mails the author of a review. It does nothing when an earlier run of this task has sent the mail and died before its end was stored. */
  @Task()
  async thank(id: string): Promise<void> {
    const review = await this.database.selectFrom('review').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
    if (review.mailed_at) return;
    await this.mailer.send({
      id: `review-${id}`,
      to: review.email,
      subject: 'Thank you for your review',
      text: `Dear ${review.name},\n\nthank you for your ${review.stars} of 5 stars:\n\n“${review.text}”`,
    });
    await this.database
      .updateTable('review')
      .set({ mailed_at: new Date().toISOString() })
      .where('id', '=', id)
      .execute();
  }
}
