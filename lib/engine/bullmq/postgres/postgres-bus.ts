import { createHash } from 'node:crypto';
import type { PgPool, PgPoolClient } from 'bullmq';
import type { MessageBus } from '../message-bus.js';

/** How long to wait before listening again when the connection broke. */
const RECONNECT_AFTER = 500;

/** PostgreSQL's LISTEN and NOTIFY, on one connection for all channels, opened by the first subscriber. */
export class PostgresBus implements MessageBus {
  readonly publishEnd = undefined;
  private readonly listeners = new Map<string, Set<(message: string) => void>>();
  private client: Promise<PgPoolClient> | undefined;
  private saying: Promise<void> = Promise.resolve();
  private reconnecting: NodeJS.Timeout | undefined;
  private closed = false;
  private readonly namespace: string;

  constructor(
    schema: string,
    private readonly pools: { readonly queries: PgPool; readonly listeners: PgPool },
  ) {
    this.namespace = createHash('sha1').update(schema).digest('base64url').slice(0, 8);
  }

  async publish(channel: string, message: string): Promise<void> {
    await this.pools.queries.query('SELECT pg_notify($1, $2)', [this.key(channel), message]);
  }

  async subscribe(channel: string, listener: (message: string) => void): Promise<() => Promise<void>> {
    const key = this.key(channel);
    const listeners = this.listeners.get(key) ?? new Set();
    this.listeners.set(key, listeners.add(listener));
    try {
      await this.say(`LISTEN "${key}"`);
    } catch (error) {
      listeners.delete(listener);
      throw error;
    }
    return async () => {
      listeners.delete(listener);
      if (listeners.size > 0) return;
      this.listeners.delete(key);
      // Not awaited: nobody hears of the channel any more, and the server may be gone.
      if (this.client) this.say(`UNLISTEN "${key}"`).catch(() => undefined);
    };
  }

  /** Gives its connection back, or the pool could not end. */
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

  /** One after the other, for a connection takes one query at a time. */
  private say(statement: string): Promise<void> {
    const said = this.saying.then(async () => {
      if (!this.closed) await (await this.connected()).query(statement);
    });
    this.saying = said.catch(() => undefined);
    return said;
  }

  private connected(): Promise<PgPoolClient> {
    if (!this.client) {
      const opening = this.open();
      this.client = opening;
      opening.catch(() => this.forget(opening));
    }
    return this.client;
  }

  private async open(): Promise<PgPoolClient> {
    const client = await this.pools.listeners.connect();
    client.on('notification', ({ channel, payload }) => {
      for (const listener of this.listeners.get(channel) ?? []) listener(payload ?? '');
    });
    const opened = this.client;
    client.on('error', () => {
      client.removeAllListeners('notification');
      client.release(true);
      this.forget(opened);
    });
    try {
      for (const key of this.listeners.keys()) await client.query(`LISTEN "${key}"`);
    } catch (error) {
      client.release(true);
      throw error;
    }
    return client;
  }

  /** The connection is gone: another is made, for whoever still listens. */
  private forget(client: Promise<PgPoolClient> | undefined): void {
    if (client !== this.client) return;
    this.client = undefined;
    if (this.closed || this.listeners.size === 0) return;
    this.reconnecting = setTimeout(() => {
      this.connected().catch(() => undefined);
    }, RECONNECT_AFTER).unref();
  }

  /** Channels are identifiers of at most 63 bytes, shared by the whole database. The longest, an inbox, has 62. */
  private key(channel: string): string {
    return `task_queue_${this.namespace}_${channel}`;
  }
}
