import type { PgPoolClient, PgQueryResult } from 'bullmq';
import type { PoolClient } from 'pg';
import type { PortableStatements } from './portable-statements.js';

type Listener = (argument: never) => void;

/**
 * A connection that is checked out of a pool. It differs from pg's client in three points: its statements are portable,
 * a second `release` does nothing (by itself, pg throws), and `release` removes the listeners that were added meanwhile.
 */
export class LeasedClient implements PgPoolClient {
  private readonly listeners: [event: string, listener: Listener][] = [];
  private released = false;

  constructor(
    /** The client of pg. */
    readonly raw: PoolClient,
    private readonly statements: PortableStatements,
    private readonly onRelease: () => void,
  ) {}

  /** BullMQ turns the keepalive of the socket on. */
  get connection(): { stream?: unknown } {
    return (this.raw as unknown as { connection?: { stream?: unknown } }).connection ?? {};
  }

  query<R>(text: string, params?: readonly unknown[]): Promise<PgQueryResult<R>> {
    return this.statements.send(this.raw, text, params);
  }

  on(event: string, listener: (argument: never) => void): this {
    this.listeners.push([event, listener]);
    this.raw.on(event as 'error', listener as (error: Error) => void);
    return this;
  }

  removeListener(event: string, listener: (argument: never) => void): this {
    return this.remove((name, added) => name === event && added === listener);
  }

  removeAllListeners(event?: string): this {
    return this.remove((name) => event === undefined || name === event);
  }

  /** @param destroy ends the connection */
  release(destroy?: boolean): void {
    if (this.released) return;
    this.released = true;
    this.removeAllListeners();
    this.onRelease();
    this.raw.release(destroy);
  }

  private remove(matches: (event: string, listener: Listener) => boolean): this {
    for (const [index, [event, listener]] of [...this.listeners.entries()].toReversed()) {
      if (!matches(event, listener)) continue;
      this.listeners.splice(index, 1);
      this.raw.removeListener(event, listener as (argument: unknown) => void);
    }
    return this;
  }
}
