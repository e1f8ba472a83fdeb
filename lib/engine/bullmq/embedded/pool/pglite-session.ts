import { setImmediate as turn } from 'node:timers/promises';
import type { PGlite } from '@electric-sql/pglite';

/**
 * PGlite works without ever giving way to the event loop, and so does whoever answers it at once. After so many
 * milliseconds timers and sockets have their turn, or a busy database would stop the whole process.
 */
const GIVE_WAY_AFTER = 10;

/** Whoever sends statements: a checked-out client, or a single query of the pool. Compared by identity. */
export type Sender = object;

interface Statement {
  readonly sender: Sender;
  readonly run: () => Promise<void>;
}

/**
 * PGlite has one session, and many clients believe that they have one each. So statements run one at a time, in the
 * order in which they came; while a sender is inside a transaction, only its own run and the others wait.
 */
export class PGliteSession {
  private readonly waiting: Statement[] = [];
  private readonly gone = new WeakSet<Sender>();
  /** The sender whose transaction is open. */
  private holder?: Sender;
  /** Pending while statements are being run. */
  private pumping?: Promise<void>;
  private ended = false;
  private gaveWayAt = 0;

  constructor(private readonly db: PGlite) {}

  /** Runs `statement` when it is the sender's turn. */
  run<T>(sender: Sender, statement: (db: PGlite) => Promise<T>): Promise<T> {
    // BullMQ looks for these words, which are pg's, to tell a late query during shutdown from a fault.
    if (this.ended) return Promise.reject(new Error('Cannot use a pool after calling end on the pool'));
    return new Promise<T>((resolve, reject) => {
      this.waiting.push({ sender, run: () => statement(this.db).then(resolve, reject) });
      this.pump();
    });
  }

  /** The sender sends nothing more. A transaction that it left open is rolled back. */
  leave(sender: Sender): void {
    this.gone.add(sender);
    this.pump();
  }

  /** Takes no more statements and waits for those already taken. Open transactions are rolled back. */
  async end(): Promise<void> {
    this.ended = true;
    this.pump();
    await this.pumping;
  }

  private pump(): void {
    this.pumping ??= Promise.resolve().then(() => this.runAll());
  }

  private async runAll(): Promise<void> {
    for (;;) {
      const next = this.next();
      if (next) {
        if (performance.now() - this.gaveWayAt > GIVE_WAY_AFTER) {
          await turn();
          this.gaveWayAt = performance.now();
        }
        await next.run();
        this.holder = this.isInTransaction() ? next.sender : undefined;
      } else if (this.holder && (this.ended || this.gone.has(this.holder))) {
        this.holder = undefined;
        // It can only fail when the database itself is broken, and then the statements behind it say so.
        await this.db.exec('ROLLBACK').catch(() => undefined);
      } else {
        // Not in a `finally` of the promise, which runs later: a statement that came in between would be forgotten.
        this.pumping = undefined;
        return;
      }
    }
  }

  /** A PGlite that has crashed, for want of memory say, cannot tell; its statements fail anyway. */
  private isInTransaction(): boolean {
    try {
      return this.db.isInTransaction();
    } catch {
      return false;
    }
  }

  private next(): Statement | undefined {
    if (!this.holder) return this.waiting.shift();
    const index = this.waiting.findIndex(({ sender }) => sender === this.holder);
    return index < 0 ? undefined : this.waiting.splice(index, 1)[0];
  }
}
