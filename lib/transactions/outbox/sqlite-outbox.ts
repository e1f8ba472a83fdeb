import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import {
  cutReason,
  FOUND_ROWS,
  type FoundRow,
  type MovedRows,
  type OutboxDatabase,
  type OutboxRow,
  SEARCHED_ROWS,
  type TableFigures,
  type Taken,
  WAITING,
} from './outbox-database.js';
import { figuresOf, PolledOutbox } from './polled-outbox.js';
import { FORMAT } from './outbox-format.js';
import type { OutboxPart } from './outbox-part.js';
import { openSqlite, unlessBusy, type SqliteConnection } from './open-sqlite.js';

/** Milliseconds for which rows belong to the relay that took them, unless it renews its claim. */
const CLAIM = 5_000;
const RENEW_AFTER = 1_000;
/** Milliseconds between two attempts while another connection writes. */
const AGAIN_AFTER = 10;
/** Attempts before the batch counts as failed. Its rows are then moved again, which does no harm. */
const ATTEMPTS = 500;

const NOW = `CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)`;

/** @param file the database of the application. The outbox has a connection of its own, because SQLite has one transaction for each */
export async function openSqliteOutbox(file: string, table: string): Promise<OutboxDatabase> {
  return new SqliteOutbox(await openSqlite(file), `SQLite at ${file}`, table);
}

/**
 * The outbox in a file of SQLite. A transaction that stays open would keep the application from writing, so a relay marks the
 * rows that it takes, in a moment, and no relay takes others as long as such a mark is valid. The relay renews its mark while it
 * works; that of a relay which died ends after some seconds.
 *
 * No statement waits for a lock: it would block the whole process, and with it the transaction that has the lock.
 */
class SqliteOutbox extends PolledOutbox implements OutboxDatabase {
  readonly dialect = 'sqlite';
  private readonly relay = randomUUID();

  constructor(
    private readonly connection: SqliteConnection,
    address: string,
    table: string,
  ) {
    super(address, table);
  }

  async check(): Promise<void> {
    this.explained(() =>
      this.connection.all(
        `SELECT seq, store, queue, calls, format, payload, failed_at, claimed_by, claimed_until FROM ${this.table} LIMIT 0`,
      ),
    );
  }

  async hasRows({ store, condition }: OutboxPart): Promise<boolean> {
    let found = true;
    const read = () => {
      const statement = `SELECT 1 FROM ${this.table} WHERE store = ? AND ${WAITING} ${condition} LIMIT 1`;
      found = this.connection.all(statement, [store]).length > 0;
    };
    // While another connection writes, it may be writing a row.
    return this.explained(() => !unlessBusy(read) || found);
  }

  async take(
    part: OutboxPart,
    limit: number,
    move: (rows: readonly OutboxRow[]) => Promise<MovedRows>,
  ): Promise<Taken> {
    const { table } = this;
    // The parts of one process claim their rows by themselves.
    const relay = `${this.relay} ${part.lock}`;
    const rows = this.claim(part, relay, limit);
    if (typeof rows === 'string') return rows;
    const renewal = setInterval(() => {
      try {
        this.tryWrite(`UPDATE ${table} SET claimed_until = ${NOW} + ${CLAIM} WHERE claimed_by = ?`, [relay]);
      } catch {
        // The next renewal repeats it, and a claim that ends costs no more than a second try.
      }
    }, RENEW_AFTER);
    try {
      const { moved, rejected } = await move(rows);
      if (moved.length > 0) await this.write(`DELETE FROM ${table} WHERE seq IN (${moved.join(', ')})`, []);
      for (const { seq, reason } of rejected) {
        await this.write(
          `UPDATE ${table} SET failed_at = ${NOW}, error = ?, claimed_by = NULL, claimed_until = NULL WHERE seq = ?`,
          [cutReason(reason), Number(seq)],
        );
      }
      return moved.length + rejected.length;
    } finally {
      clearInterval(renewal);
      await this.write(`UPDATE ${table} SET claimed_by = NULL, claimed_until = NULL WHERE claimed_by = ?`, [
        relay,
      ]).catch(() => undefined);
    }
  }

  async findRows(store: string, text: string): Promise<readonly FoundRow[]> {
    let rows: readonly Readonly<Record<string, unknown>>[] = [];
    const statement = `SELECT payload, created_at FROM (SELECT payload, created_at FROM ${this.table}
WHERE store = ? AND ${WAITING} ORDER BY seq DESC LIMIT ${SEARCHED_ROWS}) WHERE instr(payload, ?) > 0 LIMIT ${FOUND_ROWS}`;
    const read = () => void (rows = this.connection.all(statement, [store, text]));
    await this.repeated(() => this.explained(() => unlessBusy(read)));
    return rows.map((row) => ({ payload: String(row['payload']), createdAt: Number(row['created_at']) }));
  }

  async figures(store: string): Promise<TableFigures> {
    let rows: readonly Readonly<Record<string, unknown>>[] = [];
    const statement = `SELECT queue, SUM(CASE WHEN failed_at IS NULL THEN calls ELSE 0 END) AS calls,
  ${NOW} - MIN(CASE WHEN failed_at IS NULL THEN created_at END) AS age,
  COUNT(failed_at) AS rejected, SUM(failed_at IS NULL AND format > ${FORMAT}) AS newer
FROM ${this.table} WHERE store = ? GROUP BY queue`;
    const read = () => void (rows = this.connection.all(statement, [store]));
    await this.repeated(() => this.explained(() => unlessBusy(read)));
    return figuresOf(rows);
  }

  async close(): Promise<void> {
    this.connection.close();
  }

  private claim(
    { store, condition }: OutboxPart,
    relay: string,
    limit: number,
  ): readonly OutboxRow[] | 'empty' | 'busy' {
    const { table, connection } = this;
    const waiting = `FROM ${table} WHERE store = ? AND ${WAITING} ${condition}`;
    return this.explained(() => {
      const rows = connection.write(() => {
        const others = connection.all(
          `SELECT 1 FROM ${table} WHERE store = ? AND claimed_until > ${NOW} AND claimed_by <> ? ${condition} LIMIT 1`,
          [store, relay],
        );
        if (others.length > 0) return 'busy';
        const found = connection.all(
          `SELECT CAST(seq AS TEXT) AS seq, payload ${waiting} ORDER BY ${table}.seq LIMIT ${limit}`,
          [store],
        ) as unknown as readonly OutboxRow[];
        if (found.length === 0) return 'empty';
        connection.all(
          `UPDATE ${table} SET claimed_by = ?, claimed_until = ${NOW} + ${CLAIM} WHERE ${isOneOf(found)}`,
          [relay],
        );
        return found;
      });
      return rows ?? 'busy';
    });
  }

  private write(statement: string, params: readonly (string | number)[]): Promise<void> {
    return this.repeated(() => this.tryWrite(statement, params));
  }

  /** Repeats an access until no other connection keeps it from the database. */
  private async repeated(access: () => boolean): Promise<void> {
    for (let attempt = 1; !access(); attempt++) {
      if (attempt === ATTEMPTS) throw new Error(`${this.address} is locked by another connection.`);
      await wait(AGAIN_AFTER);
    }
  }

  /** @returns false when another connection writes */
  private tryWrite(statement: string, params: readonly (string | number)[]): boolean {
    const { connection } = this;
    return connection.write(() => connection.all(statement, params)) !== undefined;
  }

  private explained<T>(run: () => T): T {
    try {
      return run();
    } catch (error) {
      throw this.explain(error);
    }
  }

  private explain(error: unknown): unknown {
    const { message = '' } = error as { message?: string };
    if (/no such table/i.test(message)) {
      return this.tableIsMissing(error);
    }
    if (/no such column/i.test(message)) {
      return this.isAnotherTable(error);
    }
    return error;
  }
}

function isOneOf(rows: readonly OutboxRow[]): string {
  return `seq IN (${rows.map(({ seq }) => seq).join(', ')})`;
}
