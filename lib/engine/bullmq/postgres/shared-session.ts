import { EventEmitter } from 'node:events';
import type { PgNotification, PgPoolClient, PgQueryResult } from 'bullmq';
import { readListenStatement, unlistenStatement } from './listen-statement.js';

/**
 * One connection on which all listeners of a process listen: the workers of all queues, and the message bus. Each of them has a
 * client of its own, which looks to it like a connection.
 *
 * The connection is opened for the first client and ends with the last. When it breaks, all clients emit its `error`, and those
 * that connect again share a new one.
 */
export class SharedSession {
  private readonly clients = new Set<SharedClient>();
  /** The clients that listen on a channel. */
  private readonly channels = new Map<string, Set<SharedClient>>();
  private opened: Promise<PgPoolClient> | undefined;
  /** Settles once the last statement has run. It is never rejected. */
  private lastStatement: Promise<unknown> = Promise.resolve();

  /** @param open opens the connection */
  constructor(private readonly open: () => Promise<PgPoolClient>) {}

  async connect(): Promise<PgPoolClient> {
    const opening = (this.opened ??= this.openSession());
    const session = await opening;
    // The connection has broken, or ended with its last client, while this client waited for it.
    if (this.opened !== opening) return this.connect();
    const client = new SharedClient(this, session);
    this.clients.add(client);
    return client;
  }

  query<R>(client: SharedClient, text: string, params?: readonly unknown[]): Promise<PgQueryResult<R>> {
    const statement = readListenStatement(text);
    if (!statement) return this.run(client.session, text, params);
    const clients = this.channels.get(statement.channel) ?? new Set();
    if (statement.listens) {
      this.channels.set(statement.channel, clients.add(client));
      // Also on a channel on which another client listens: its statement may not have run yet, or may have failed.
      return this.run(client.session, text);
    }
    // The client gets nothing of the channel from here on, so it need not wait for a server that may not answer.
    if (this.removeFrom(statement.channel, client)) this.run(client.session, text).catch(() => undefined);
    return Promise.resolve({ rows: [], rowCount: null });
  }

  leave(client: SharedClient): void {
    if (!this.clients.delete(client)) return;
    const isLast = this.clients.size === 0;
    for (const channel of [...this.channels.keys()]) {
      if (!this.removeFrom(channel, client) || isLast) continue;
      this.run(client.session, unlistenStatement(channel)).catch(() => undefined);
    }
    if (!isLast) return;
    this.opened = undefined;
    // Another user of the pool must not get a connection that listens.
    client.session.release(true);
  }

  private async openSession(): Promise<PgPoolClient> {
    try {
      const session = await this.open();
      this.lastStatement = Promise.resolve();
      session.on('notification', (notification) => this.deliver(notification));
      session.on('error', (error) => this.breakWith(session, error));
      return session;
    } catch (error) {
      this.opened = undefined;
      throw error;
    }
  }

  /** Runs one statement at a time, because a connection cannot run more. */
  private run<R>(session: PgPoolClient, text: string, params?: readonly unknown[]): Promise<PgQueryResult<R>> {
    const running = this.lastStatement.then(() => session.query<R>(text, params));
    this.lastStatement = running.catch(() => undefined);
    return running;
  }

  /** @returns whether no client listens on the channel any more */
  private removeFrom(channel: string, client: SharedClient): boolean {
    const clients = this.channels.get(channel);
    if (!clients?.delete(client) || clients.size > 0) return false;
    return this.channels.delete(channel);
  }

  private deliver(notification: PgNotification): void {
    for (const client of this.channels.get(notification.channel) ?? []) client.emit('notification', notification);
  }

  private breakWith(session: PgPoolClient, error: Error): void {
    const clients = [...this.clients];
    this.opened = undefined;
    this.clients.clear();
    this.channels.clear();
    session.release(true);
    for (const client of clients) client.emit('error', error);
  }
}

/** A client of a {@link SharedSession}. */
class SharedClient extends EventEmitter implements PgPoolClient {
  constructor(
    private readonly owner: SharedSession,
    /** The connection that it shares. */
    readonly session: PgPoolClient,
  ) {
    super();
    // An error that comes before or after the listeners of its owner must not end the process.
    this.on('error', () => undefined);
  }

  /** BullMQ turns the keepalive of the socket on. */
  get connection(): { stream?: unknown } {
    return this.session.connection ?? {};
  }

  query<R>(text: string, params?: readonly unknown[]): Promise<PgQueryResult<R>> {
    return this.owner.query(this, text, params);
  }

  override removeAllListeners(event?: string): this {
    super.removeAllListeners(event);
    if (event === undefined || event === 'error') this.on('error', () => undefined);
    return this;
  }

  /** The connection stays open for the other clients. */
  release(): void {
    this.removeAllListeners();
    this.owner.leave(this);
  }
}
