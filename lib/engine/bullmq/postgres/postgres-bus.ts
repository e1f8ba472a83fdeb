import { createHash } from 'node:crypto';
import type { PgPool, PgPoolClient } from 'bullmq';
import { ChannelListeners } from '../channel-listeners.js';
import { Gatherer } from '../gatherer.js';
import type { MessageBus, PreparedMessage } from '../message-bus.js';
import type { ListenerPool } from './listeners.js';

/** Milliseconds between the loss of the connection and the first attempt to listen again. */
const RECONNECT_AFTER = 500;

/** PostgreSQL commits one transaction with notifications at a time, so the messages of a moment share one. */
const SENT_TOGETHER = { size: 200, atOnce: 1 };

/**
 * Sends the messages $2 on the channels $1. The commit does not wait for the disk: a message that a crash of the server
 * loses tells nothing that the store does not.
 */
const NOTIFY = `
WITH commit AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true))
SELECT pg_notify(channel, message) FROM commit, unnest($1::text[], $2::text[]) AS messages (channel, message)`;

/** Sends messages by PostgreSQL's LISTEN and NOTIFY. The first subscriber opens one connection for all channels. */
export class PostgresBus implements MessageBus {
  readonly isPublic = true;
  readonly largestMessage = 7_900;
  readonly publishEnd = undefined;
  private readonly listeners = new ChannelListeners();
  private readonly messages = new Gatherer(
    (messages: readonly PreparedMessage[]) => this.send(messages),
    SENT_TOGETHER,
  );
  private client: Promise<PgPoolClient> | undefined;
  /** Settles once the last statement of {@link runInOrder} has run. It is never rejected. */
  private lastStatement: Promise<void> = Promise.resolve();
  private reconnecting: NodeJS.Timeout | undefined;
  private closed = false;
  private readonly namespace: string;

  constructor(
    schema: string,
    private readonly pools: { readonly queries: PgPool; readonly listeners: ListenerPool },
  ) {
    this.namespace = createHash('sha1').update(schema).digest('base64url').slice(0, 8);
  }

  get isDeaf(): boolean {
    return this.pools.listeners.isDeaf;
  }

  publish(channel: string, message: string): Promise<void> {
    return this.messages.call(this.prepare(channel, message));
  }

  prepare(channel: string, message: string): PreparedMessage {
    return { channel: this.nameOf(channel), message };
  }

  subscribe(channel: string, listener: (message: string) => void): Promise<() => Promise<void>> {
    const key = this.nameOf(channel);
    const listen = () => this.runInOrder(`LISTEN "${key}"`);
    const unlisten = async () => {
      if (this.client) await this.runInOrder(`UNLISTEN "${key}"`);
    };
    return this.listeners.add(key, listener, listen, unlisten);
  }

  private async send(messages: readonly PreparedMessage[]): Promise<undefined[]> {
    await this.pools.queries.query(NOTIFY, [
      messages.map(({ channel }) => channel),
      messages.map(({ message }) => message),
    ]);
    return messages.map(() => undefined);
  }

  /** Gives the connection back to its pool, which could not end otherwise. */
  close(): void {
    this.closed = true;
    clearTimeout(this.reconnecting);
    this.client?.then(
      (client) => {
        client.removeAllListeners('notification');
        client.release(true);
      },
      () => undefined,
    );
  }

  /** Runs statements one after the other, because a connection runs one query at a time. */
  private runInOrder(statement: string): Promise<void> {
    const running = this.lastStatement.then(async () => {
      if (!this.closed) await (await this.openedClient()).query(statement);
    });
    this.lastStatement = running.catch(() => undefined);
    return running;
  }

  private openedClient(): Promise<PgPoolClient> {
    if (!this.client) {
      const opening = this.open();
      this.client = opening;
      opening.catch(() => this.reconnectLater(opening));
    }
    return this.client;
  }

  private async open(): Promise<PgPoolClient> {
    const client = await this.pools.listeners.connect();
    client.on('notification', ({ channel, payload }) => {
      this.listeners.deliver(channel, payload ?? '');
    });
    const opened = this.client;
    client.on('error', () => {
      client.removeAllListeners('notification');
      client.release(true);
      this.reconnectLater(opened);
    });
    try {
      for (const key of this.listeners.channels) await client.query(`LISTEN "${key}"`);
    } catch (error) {
      client.release(true);
      throw error;
    }
    return client;
  }

  /** Forgets a connection that is gone. Another is made when there are listeners left. */
  private reconnectLater(client: Promise<PgPoolClient> | undefined): void {
    if (client !== this.client) return;
    this.client = undefined;
    if (this.closed || this.listeners.channels.length === 0) return;
    this.reconnecting = setTimeout(() => {
      this.openedClient().catch(() => undefined);
    }, RECONNECT_AFTER).unref();
  }

  /** The name of a channel in the database: an identifier of at most 63 bytes, which all schemas share. */
  nameOf(channel: string): string {
    return `task_queue_${this.namespace}_${channel}`;
  }
}
