import { Task, TaskProcessor } from 'nestjs-task-queue';
import { createHash } from 'node:crypto';
import { Database } from '../database/database.js';
import { Mailer, MailRefusedError } from '../mails/mailer.js';

@TaskProcessor({
  queue: 'mails',
  timeout: '30s',
  retries: 8,
  backoff: { type: 'exponential', delay: '2s', max: '10m' },
  giveUpOn: MailRefusedError,
})
export class QuoteMails {
  constructor(
    private readonly database: Database,
    private readonly mailer: Mailer,
  ) {}

  /** Mails the quote of a day to one subscriber, so that one wrong address delays no other mail. */
  @Task()
  async send(day: string, email: string): Promise<void> {
    const { text, author } = await this.database
      .selectFrom('quote')
      .selectAll()
      .where('day', '=', day)
      .executeTakeFirstOrThrow();
    const recipient = createHash('sha256').update(email).digest('hex').slice(0, 16);
    await this.mailer.send({
      id: `quote-${day}-${recipient}`,
      to: email,
      subject: `The quote of ${day}`,
      text: `“${text}” — ${author}`,
    });
  }
}
