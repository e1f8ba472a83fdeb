import { EventEmitter } from 'node:events';
import type { PgNotification, PgPoolClient, PgQueryResult } from 'bullmq';
import type { Sender } from './pglite-session.js';

/** Runs a statement for `sender` when it is its turn. */
export type Send = (sender: Sender, text: string, params?: readonly unknown[]) => Promise<PgQueryResult>;

const listenStatement = /^(?:\s|--.*\n)*(?<verb>UNLISTEN|LISTEN)\s+(?:"(?<quoted>.+)"|(?<plain>\w+))\s*;?\s*$/i;

/** One of the clients that share a PGlite. Held for long, it keeps no others waiting, save inside a transaction. */
export class PGliteClient extends EventEmitter implements PgPoolClient {
  private readonly channels = new Set<string>();
  /** What came while nobody was listening for notifications, each once. */
  private readonly missed = new Map<string, PgNotification>();

  constructor(
    private readonly send: Send,
    readonly release: () => void,
  ) {
    super();
    this.on('newListener', (event) => event === 'notification' && this.deliverMissed());
  }

  async query<R>(text: string, params?: readonly unknown[]): Promise<PgQueryResult<R>> {
    const { verb, quoted, plain = '' } = listenStatement.exec(text)?.groups ?? {};
    const channel = quoted?.replaceAll('""', '"') ?? plain.toLowerCase();
    // The session goes on listening after an UNLISTEN, for others may want it; this client no longer hears of it.
    if (verb?.toUpperCase() === 'UNLISTEN') {
      this.channels.delete(channel);
      return { rows: [], rowCount: null };
    }
    if (verb) this.channels.add(channel);
    return await this.send(this, text, params);
  }

  notify(notification: PgNotification): void {
    if (!this.channels.has(notification.channel)) return;
    if (this.emit('notification', notification)) return;
    this.missed.set(`${notification.channel} ${notification.payload}`, notification);
  }

  /**
   * A listener first hears what came since the one before it was removed. BullMQ reads a queue's events, finds none, and
   * only then listens: with one session, what happens in between would nearly always be missed, and be noticed seconds
   * later. To hear of something twice does it no harm, it just looks again.
   */
  private deliverMissed(): void {
    const missed = [...this.missed.values()];
    this.missed.clear();
    queueMicrotask(() => missed.forEach((notification) => this.notify(notification)));
  }
}
