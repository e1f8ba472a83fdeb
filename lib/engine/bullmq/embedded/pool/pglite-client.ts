import { EventEmitter } from 'node:events';
import type { PgNotification, PgPoolClient, PgQueryResult } from 'bullmq';
import { readListenStatement } from '../../postgres/listen-statement.js';
import type { Sender } from './pglite-session.js';

/** Runs a statement of `sender` when it is the sender's turn. */
export type Send = (sender: Sender, text: string, params?: readonly unknown[]) => Promise<PgQueryResult>;

/** One of the clients that share a PGlite. It makes other clients wait only while it is inside a transaction. */
export class PGliteClient extends EventEmitter implements PgPoolClient {
  private readonly channels = new Set<string>();
  /** Notifications that came while the client had no listener for them, each once. */
  private readonly missed = new Map<string, PgNotification>();

  constructor(
    private readonly send: Send,
    readonly release: () => void,
  ) {
    super();
    this.on('newListener', (event) => event === 'notification' && this.deliverMissed());
  }

  async query<R>(text: string, params?: readonly unknown[]): Promise<PgQueryResult<R>> {
    const { listens, channel } = readListenStatement(text) ?? {};
    // The session itself goes on listening, because other clients may listen on the channel too.
    if (listens === false) {
      this.channels.delete(channel as string);
      return { rows: [], rowCount: null };
    }
    if (channel !== undefined) this.channels.add(channel);
    return await this.send(this, text, params);
  }

  notify(notification: PgNotification): void {
    if (!this.channels.has(notification.channel)) return;
    if (this.emit('notification', notification)) return;
    this.missed.set(`${notification.channel} ${notification.payload}`, notification);
  }

  /**
   * Delivers to a new listener the notifications that came since the listener before it was removed. BullMQ reads a
   * queue's events, finds none, and only then listens. With a single session, an event in between would nearly always
   * be missed, and noticed seconds later. A notification that comes twice does no harm: BullMQ reads the events once
   * more.
   */
  private deliverMissed(): void {
    const missed = [...this.missed.values()];
    this.missed.clear();
    queueMicrotask(() => missed.forEach((notification) => this.notify(notification)));
  }
}
