import type { PoolClient } from 'pg';
import { hasSession } from '../../engine/session-pooling.js';
import { CHANNEL } from './outbox-table.js';
import { checkWritable, ignore, READ_ONLY, type PostgresOutboxPool } from './postgres-outbox-pool.js';

/** Milliseconds between the loss of the connection that listens and the next attempt. Polling goes on meanwhile. */
const LISTEN_AGAIN_AFTER = 1_000;
/** Milliseconds between two statements that show whether the connection that listens is alive. */
const HEARTBEAT = 15_000;

/** Hears on a connection of its own when rows of a store were committed. Connects again for ever. */
export class PostgresOutboxListener {
  private client: PoolClient | undefined;
  private retry: NodeJS.Timeout | undefined;
  /** Whether a connection that listens would hear something; `undefined`: not known yet. */
  private hears: boolean | undefined;
  private isClosed = false;

  constructor(private readonly pool: PostgresOutboxPool) {}

  listen(store: string, wake: () => void): void {
    if (this.isClosed) return;
    this.open(store, wake).catch(() => this.listenLater(store, wake));
  }

  close(): void {
    this.isClosed = true;
    clearTimeout(this.retry);
    this.client?.release(true);
    this.client = undefined;
  }

  private async open(store: string, wake: () => void): Promise<void> {
    const client = await this.pool.connect();
    if (this.isClosed) return client.release(true);
    if (!(await this.canListen(client))) return;
    this.client = client;
    let heartbeat: NodeJS.Timeout | undefined;
    const end = () => {
      clearInterval(heartbeat);
      if (this.client !== client) return;
      this.client = undefined;
      client.release(true);
      this.listenLater(store, wake);
    };
    client.on('error', end);
    client.on('end', end);
    client.on('notification', ({ channel, payload }) => {
      if (channel === CHANNEL && payload === store) wake();
    });
    try {
      await client.query(this.pool.limited(`LISTEN ${CHANNEL}`));
      // What was committed before that is found now.
      wake();
    } catch {
      return end();
    }
    const ask = async () =>
      checkWritable((await client.query(this.pool.limited(`SELECT ${READ_ONLY}`))).rows[0] as object);
    heartbeat = setInterval(() => void ask().catch(end), HEARTBEAT).unref();
  }

  /** Releases the client when it cannot. Behind a pooler that gives its session to other clients, these would hear the notifications. */
  private async canListen(client: PoolClient): Promise<boolean> {
    client.on('error', ignore);
    try {
      this.hears ??= await hasSession(this.sessionOf(client), client, async () =>
        this.sessionOf(await this.pool.connect()),
      );
    } catch (error) {
      client.release(true);
      throw error;
    } finally {
      client.off('error', ignore);
    }
    if (this.isClosed || !this.hears) client.release(this.isClosed);
    return !this.isClosed && this.hears;
  }

  private sessionOf(client: PoolClient) {
    return { query: (text: string) => client.query(this.pool.limited(text)), release: () => client.release() };
  }

  private listenLater(store: string, wake: () => void): void {
    if (this.isClosed) return;
    this.retry = setTimeout(() => this.listen(store, wake), LISTEN_AGAIN_AFTER).unref();
  }
}
