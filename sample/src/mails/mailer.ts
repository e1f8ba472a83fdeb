import { Injectable, UnprocessableEntityException } from '@nestjs/common';
import { createTransport } from 'nodemailer';
import { Outside } from '../outside/outside.js';

export interface Mail {
  /** The same for each attempt to send one mail. It becomes the `Message-ID`. */
  id: string;
  to: string;
  subject: string;
  text: string;
}

/**
 * The mail server has refused a mail for good. The class extends one of Nest's HTTP exceptions, so the message reaches the page
 * from a task, also in production.
 */
export class MailRefusedError extends UnprocessableEntityException {}

/** Sends mails by SMTP. */
@Injectable()
export class Mailer {
  constructor(private readonly outside: Outside) {}

  /**
   * Sends a mail. When the answer of the server gets lost, nobody knows whether the mail was accepted. A task then tries again, and
   * the mailbox recognizes the mail by its `Message-ID`.
   *
   * @throws MailRefusedError when another attempt would be of no use, for example because there is no such mailbox
   */
  async send({ id, ...mail }: Mail): Promise<void> {
    const transport = createTransport({
      url: await this.outside.mailServer(),
      connectionTimeout: 5_000,
      greetingTimeout: 5_000,
      socketTimeout: 10_000,
    });
    try {
      await transport.sendMail({
        ...mail,
        from: 'The sample <sample@example.com>',
        messageId: `<${id}@sample.example.com>`,
      });
    } catch (error) {
      const { responseCode = 0, response } = error as { responseCode?: number; response?: string };
      if (responseCode < 500) throw error;
      throw new MailRefusedError(`The mail server refused the mail: ${response}`, { cause: error });
    } finally {
      transport.close();
    }
  }
}
