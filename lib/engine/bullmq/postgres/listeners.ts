import type { PgPool, PgPoolClient } from 'bullmq';
import type { PollingListeners } from './polling-listeners.js';
import { hasSession } from '../../session-pooling.js';
import type { SafePool } from './safe-pool.js';
import { SharedSession } from './shared-session.js';

/** Gives out the clients that listen. */
export interface ListenerPool extends Pick<PgPool, 'connect' | 'on'> {
  /** Whether no notification arrives. It is known once a client was leased. */
  readonly isDeaf: boolean;
}

/**
 * Gives out clients that share one connection that listens, or clients that poll where LISTEN does not work. The first client finds
 * that out.
 */
export class Listeners implements ListenerPool {
  isDeaf = false;
  private readonly shared = new SharedSession(() => this.open());
  /** Whether LISTEN works; `undefined`: not known yet. */
  private hears: boolean | undefined;

  constructor(
    private readonly sessions: SafePool,
    private readonly polling: PollingListeners,
    private readonly onDeaf: () => void,
    /** Throws when the pool has no connection left for queries while one listens. */
    private readonly checkRoom: () => void,
  ) {}

  async connect(): Promise<PgPoolClient> {
    if (this.isDeaf) return this.polling.open();
    const client = await this.shared.connect();
    if (this.hears) return client;
    client.release();
    if (!this.isDeaf) this.onDeaf();
    this.isDeaf = true;
    return this.polling.open();
  }

  on(event: 'error' | 'connect', listener: (argument: never) => void): never {
    return this.sessions.on(event as 'error', listener as (error: Error) => void) as never;
  }

  close(): void {
    this.polling.close();
  }

  private async open(): Promise<PgPoolClient> {
    this.checkRoom();
    const client = await this.sessions.connect();
    try {
      this.hears ??= await hasSession(client, client.raw, () => this.sessions.connect());
      return client;
    } catch (error) {
      client.release(true);
      throw error;
    }
  }
}
