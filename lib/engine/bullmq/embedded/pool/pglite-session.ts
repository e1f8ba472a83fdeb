import { setImmediate as nextTurn } from 'node:timers/promises';
import type { PGlite } from '@electric-sql/pglite';

/**
 * Milliseconds of work after which the session gives way to the event loop. PGlite never does, and neither does a
 * sender that sends its next statement as soon as it has an answer: without this pause, a busy database would stop all
 * timers and sockets of the process.
 */
const GIVE_WAY_AFTER = 10;

/**
 * The origin of statements: a client that is checked out, or a single query of the pool. It is compared by identity.
 */
export type Sender = object;

interface Statement {
  readonly sender: Sender;
  readonly run: () => Promise<void>;
}

/**
 * Shares the one session of PGlite among many senders. Statements run one at a time, in the order in which they came.
 * While a sender is inside a transaction, only its own statements run, and those of other senders wait.
 */
export class PGliteSession {
  private readonly waiting: Statement[] = [];
  private readonly goneSenders = new WeakSet<Sender>();
  /** The sender whose transaction is open. */
  private transactionOwner?: Sender;
  /** Settles once no statement is left that can run; `undefined` while none runs. */
  private running?: Promise<void>;
  private ended = false;
  private gaveWayAt = 0;

  /** @param check throws when the database must not be used now */
  constructor(
    private readonly db: PGlite,
    private readonly check: () => void = () => undefined,
  ) {}

  /** Runs `statement` when it is the sender's turn. */
  run<T>(sender: Sender, statement: (db: PGlite) => Promise<T>): Promise<T> {
    // The words of pg. By them BullMQ recognises a query that comes during shutdown, and does not report it as an
    // error.
    if (this.ended) return Promise.reject(new Error('Cannot use a pool after calling end on the pool'));
    return new Promise<T>((resolve, reject) => {
      this.waiting.push({ sender, run: () => this.checked(statement).then(resolve, reject) });
      this.start();
    });
  }

  private async checked<T>(statement: (db: PGlite) => Promise<T>): Promise<T> {
    this.check();
    return statement(this.db);
  }

  /** Ends a sender, which sends nothing more. A transaction that it left open is rolled back. */
  leave(sender: Sender): void {
    this.goneSenders.add(sender);
    this.start();
  }

  /** Rejects further statements and waits for the statements that came before. Open transactions are rolled back. */
  async end(): Promise<void> {
    this.ended = true;
    this.start();
    await this.running;
  }

  private start(): void {
    this.running ??= Promise.resolve().then(() => this.runAll());
  }

  private async runAll(): Promise<void> {
    for (;;) {
      const next = this.next();
      if (next) {
        if (performance.now() - this.gaveWayAt > GIVE_WAY_AFTER) {
          await nextTurn();
          this.gaveWayAt = performance.now();
        }
        await next.run();
        this.transactionOwner = this.isInTransaction() ? next.sender : undefined;
      } else if (this.transactionOwner && (this.ended || this.goneSenders.has(this.transactionOwner))) {
        this.transactionOwner = undefined;
        // It fails only when the database itself is broken, and then the statements behind it fail too.
        await this.db.exec('ROLLBACK').catch(() => undefined);
      } else {
        // A `finally` of the promise would run later, and a statement that came in between would be forgotten.
        this.running = undefined;
        return;
      }
    }
  }

  /** A PGlite that has crashed, out of memory for example, throws here. Its statements fail anyway. */
  private isInTransaction(): boolean {
    try {
      return this.db.isInTransaction();
    } catch {
      return false;
    }
  }

  private next(): Statement | undefined {
    if (!this.transactionOwner) return this.waiting.shift();
    const index = this.waiting.findIndex(({ sender }) => sender === this.transactionOwner);
    return index < 0 ? undefined : this.waiting.splice(index, 1)[0];
  }
}
