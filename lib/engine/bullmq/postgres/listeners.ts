import type { PgPool, PgPoolClient } from 'bullmq';
import type { PollingListeners } from './polling-listeners.js';
import type { SafePool } from './safe-pool.js';
import { hasSession } from './session-pooling.js';

/** Gives out the connections that listen. */
export interface ListenerPool extends Pick<PgPool, 'connect' | 'on'> {
  /** Whether no notification arrives. It is known once a connection was leased. */
  readonly isDeaf: boolean;
}

/**
 * Gives out connections that listen, or clients that poll where LISTEN does not work. The first connection finds that
 * out.
 */
export class Listeners implements ListenerPool {
  isDeaf = false;
  private checking: Promise<boolean> | undefined;

  constructor(
    private readonly sessions: SafePool,
    private readonly polling: PollingListeners,
    private readonly onDeaf: () => void,
  ) {}

  async connect(): Promise<PgPoolClient> {
    if (this.isDeaf) return this.polling.open();
    const client = await this.sessions.connect();
    try {
      // All callers share one check. A check that failed is repeated.
      this.checking ??= hasSession(client, this.sessions);
      if (await this.checking) return client;
    } catch (error) {
      this.checking = undefined;
      client.release(true);
      throw error;
    }
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
}
