import { EventEmitter } from 'node:events';
import type { PGlite, Results } from '@electric-sql/pglite';
import type { PgPool, PgPoolClient, PgQueryResult } from 'bullmq';
import { Vacuum } from './vacuum.js';
import { PGliteClient, type Send } from './pglite-client.js';
import { PGliteSession } from './pglite-session.js';

/**
 * Lets BullMQ use one PGlite as if it were a `pg.Pool`: any number of clients, each with its own transactions and
 * `LISTEN`s. A client that is held for long, as BullMQ holds one for each worker, does not keep others waiting.
 *
 * It never emits `error` or `connect`: inside a process no connection is made or lost.
 */
export class PGlitePool extends EventEmitter implements PgPool {
  private readonly session: PGliteSession;
  private readonly send: Send;
  private readonly clients = new Set<PGliteClient>();
  private readonly stopListening: () => void;

  constructor(db: PGlite) {
    super();
    // Every BullMQ object that shares the pool adds a listener; that is no leak.
    this.setMaxListeners(0);
    this.session = new PGliteSession(db);
    this.send = sender(this.session, new Vacuum(this.session));
    this.stopListening = db.onNotification((channel, payload) => {
      for (const client of this.clients) client.notify({ channel, payload });
    });
  }

  async query<R>(text: string, params?: readonly unknown[]): Promise<PgQueryResult<R>> {
    const passerBy = {};
    const result = this.send(passerBy, text, params);
    this.session.leave(passerBy);
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

  /** Waits for the queries under way; further ones are refused. PGlite itself stays open. */
  async end(): Promise<void> {
    await this.session.end();
    this.stopListening();
    this.clients.clear();
  }
}

/** As in `pg`, text without parameters may hold several statements; the result is then that of the last. */
function sender(session: PGliteSession, vacuum: Vacuum): Send {
  return async (from, text, params) => {
    try {
      const result = await session.run(from, async (db): Promise<Results | undefined> =>
        params ? await db.query(text, [...params]) : (await db.exec(text)).at(-1),
      );
      return { rows: result?.rows ?? [], rowCount: result?.rowCount ?? null };
    } catch (error) {
      throw withoutParameters(error);
    } finally {
      vacuum.note(params);
    }
  };
}

/** PGlite hangs the query and its values on the error; `pg` does not, and they are not for everybody's log. */
function withoutParameters(error: unknown): unknown {
  if (typeof error === 'object' && error !== null) {
    for (const key of ['query', 'params', 'queryOptions']) Reflect.deleteProperty(error, key);
  }
  return error;
}
