import { EventEmitter } from 'node:events';
import type { PGlite, Results } from '@electric-sql/pglite';
import type { PgPool, PgPoolClient, PgQueryResult } from 'bullmq';
import { Vacuum } from './vacuum.js';
import { PGliteClient, type Send } from './pglite-client.js';
import { PGliteSession } from './pglite-session.js';

/**
 * Lets BullMQ use one PGlite as if it were a `pg.Pool`: any number of clients, each with its own transactions and
 * `LISTEN`s. A client that is checked out for long, as by each worker of BullMQ, does not make other clients wait.
 *
 * The pool never emits `error` or `connect`: inside a process no connection is made or lost.
 */
export class PGlitePool extends EventEmitter implements PgPool {
  private readonly session: PGliteSession;
  private readonly send: Send;
  private readonly clients = new Set<PGliteClient>();
  private readonly stopListening: () => void;

  /** @param check called before each statement; throws when the database must not be used now */
  constructor(db: PGlite, check?: () => void) {
    super();
    // Every BullMQ object that shares the pool adds a listener. Without this, Node warns of a leak after ten.
    this.setMaxListeners(0);
    this.session = new PGliteSession(db, check);
    this.send = senderOf(this.session, new Vacuum(this.session));
    this.stopListening = db.onNotification((channel, payload) => {
      for (const client of this.clients) client.notify({ channel, payload });
    });
  }

  async query<R>(text: string, params?: readonly unknown[]): Promise<PgQueryResult<R>> {
    const sender = {};
    const result = this.send(sender, text, params);
    this.session.leave(sender);
    return await result;
  }

  async connect(): Promise<PgPoolClient> {
    const client = new PGliteClient(this.send, () => {
      this.clients.delete(client);
      this.session.leave(client);
    });
    this.clients.add(client);
    return client;
  }

  /** Waits for the queries under way and rejects further ones. PGlite itself stays open. */
  async end(): Promise<void> {
    await this.session.end();
    this.stopListening();
    this.clients.clear();
  }
}

/** As in `pg`, a text without parameters may contain several statements. The result is then that of the last one. */
function senderOf(session: PGliteSession, vacuum: Vacuum): Send {
  return async (sender, text, params) => {
    try {
      const result = await session.run(sender, async (db): Promise<Results | undefined> =>
        params ? await db.query(text, [...params]) : (await db.exec(text)).at(-1),
      );
      return { rows: result?.rows ?? [], rowCount: result?.rowCount ?? null };
    } catch (error) {
      throw withoutParameters(error);
    } finally {
      vacuum.countStatement(params);
    }
  };
}

/** PGlite adds the query and its values to an error. `pg` does not, and values of tasks do not belong in a log. */
function withoutParameters(error: unknown): unknown {
  if (typeof error === 'object' && error !== null) {
    for (const key of ['query', 'params', 'queryOptions']) Reflect.deleteProperty(error, key);
  }
  return error;
}
