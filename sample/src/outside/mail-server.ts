import PostalMime from 'postal-mime';
import { SMTPServer } from 'smtp-server';
import { buffer } from 'node:stream/consumers';
import type { Memory } from './memory.js';
import { listen, type StandIn } from './stand-in.js';

/**
 * A real SMTP server that keeps the mails instead of delivering them. Two kinds of addresses let you watch what goes wrong with mail:
 * it has never heard of `nobody@…`, and it puts the first mail for `later@…` off, as many servers do with strangers.
 *
 * A mail with the `Message-ID` of an earlier one is accepted and not shown again, as in the mailboxes of the large providers.
 *
 * @param onStored is called when a mail is stored, before the answer
 */
export async function startMailServer(memory: Memory, onStored?: () => Promise<void>): Promise<StandIn> {
  const smtp = new SMTPServer({
    authOptional: true,
    disabledCommands: ['AUTH', 'STARTTLS'],
    logger: false,
    onRcptTo({ address }, _session, done) {
      if (address.startsWith('nobody@')) return done(refusal(550, `There is no mailbox ${address}`));
      if (address.startsWith('later@') && isStranger(memory, address)) return done(refusal(451, 'Come back later'));
      done();
    },
    onData(stream, session, done) {
      buffer(stream)
        .then((bytes) => new PostalMime().parse(bytes))
        .then(async ({ messageId = '', subject = '', text = '' }) => {
          for (const { address } of session.envelope.rcptTo) {
            memory
              .prepare(
                'INSERT INTO mail (message_id, recipient, subject, text, at) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING',
              )
              .run(messageId, address, subject, text.trim(), new Date().toISOString());
          }
          await onStored?.();
          done();
        })
        .catch(done);
    },
  });
  const { url } = await listen(smtp.server, 'smtp');
  return { url, close: () => new Promise((resolve) => smtp.close(() => resolve())) };
}

function isStranger(memory: Memory, recipient: string): boolean {
  return (
    memory.prepare('INSERT INTO postponed (recipient) VALUES (?) ON CONFLICT DO NOTHING').run(recipient).changes > 0
  );
}

function refusal(responseCode: number, message: string): Error {
  return Object.assign(new Error(message), { responseCode });
}
