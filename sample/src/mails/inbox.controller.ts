import { Controller, Get } from '@nestjs/common';
import { Database } from '../database/database.js';
import { Outside } from '../outside/outside.js';
import { Visitor } from '../visitors/visitor.js';

export interface ReceivedMail {
  id: number;
  recipient: string;
  subject: string;
  text: string;
  at: string;
}

/** The mails that the stand-in got for what the visitor did, so that nobody needs a mailbox to see them. */
@Controller('inbox')
export class InboxController {
  constructor(
    private readonly database: Database,
    private readonly outside: Outside,
  ) {}

  @Get()
  async list(@Visitor() visitor: string): Promise<ReceivedMail[]> {
    const reviews = await this.database.selectFrom('review').select('id').where('visitor', '=', visitor).execute();
    const own = await this.database.selectFrom('subscriber').select('email').where('visitor', '=', visitor).execute();
    return this.outside.memory
      .prepare(
        `SELECT id, recipient, subject, text, at FROM mail
         WHERE message_id IN (SELECT '<review-' || value || '@sample.example.com>' FROM json_each(?))
            OR message_id LIKE '<quote-%' AND recipient IN (SELECT value FROM json_each(?))
         ORDER BY id DESC LIMIT 20`,
      )
      .all(
        JSON.stringify(reviews.map(({ id }) => id)),
        JSON.stringify(own.map(({ email }) => email)),
      ) as ReceivedMail[];
  }
}
