import { createHash } from 'node:crypto';
import type { PgPool, PgPoolClient } from 'bullmq';
import type { MessageBus } from '../message-bus.js';
import type { ListenerPool } from './listeners.js';

/** Milliseconds between the loss of the connection and the first attempt to listen again. */
const RECONNECT_AFTER = 500;

/** Sends messages by PostgreSQL's LISTEN and NOTIFY. The first subscriber opens one connection for all channels. */
export class PostgresBus implements MessageBus {
  readonly publishEnd = undefined;
  private readonly listeners = new Map<string, Set<(message: string) => void>>();
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

  async publish(channel: string, message: string): Promise<void> {
    await this.pools.queries.query('SELECT pg_notify($1, $2)', [this.key(channel), message]);
  }

  async subscribe(channel: string, listener: (message: string) => void): Promise<() => Promise<void>> {
    const key = this.key(channel);
    const listeners = this.listeners.get(key) ?? new Set();
    this.listeners.set(key, listeners.add(listener));
    try {
      await this.runInOrder(`LISTEN "${key}"`);
    } catch (error) {
      listeners.delete(listener);
      throw error;
    }
    return async () => {
      listeners.delete(listener);
      if (listeners.size > 0) return;
      this.listeners.delete(key);
      // Not awaited: the channel has no listener any more, and the server may be gone.
      if (this.client) this.runInOrder(`UNLISTEN "${key}"`).catch(() => undefined);
    };
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
      for (const listener of this.listeners.get(channel) ?? []) listener(payload ?? '');
    });
    const opened = this.client;
    client.on('error', () => {
      client.removeAllListeners('notification');
      client.release(true);
      this.reconnectLater(opened);
    });
    try {
      for (const key of this.listeners.keys()) await client.query(`LISTEN "${key}"`);
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
    if (this.closed || this.listeners.size === 0) return;
    this.reconnecting = setTimeout(() => {
      this.openedClient().catch(() => undefined);
    }, RECONNECT_AFTER).unref();
  }

  /**
   * The name of a channel in the database: an identifier of at most 63 bytes, which all schemas share. The longest
   * name, that of a reply channel (`inbox:<uuid>`), has 62.
   */
  private key(channel: string): string {
    return `task_queue_${this.namespace}_${channel}`;
  }
}
