import type { EnqueuePort } from './enqueue-port.js';

/**
 * Runs statements inside a transaction of the application. `.in(tx)` makes one of each transaction that it knows. For
 * another library, give `.in()` an object of this form.
 *
 * @example
 * const adapter: TransactionAdapter = {
 *   dialect: 'postgres',
 *   query: async (text, params) => (await tx.run(text, params)).rows,
 * };
 * await this.mails.welcome.in(adapter).enqueue(17);
 */
export interface TransactionAdapter {
  /** The language of the database. */
  readonly dialect: 'postgres' | 'mysql' | 'sqlite';
  /**
   * Runs one statement on the connection of the transaction.
   *
   * @param text has `$1`, `$2`, … for the parameters on PostgreSQL, and `?` on MySQL and SQLite
   * @returns the rows; an empty list for a statement that returns none
   */
  query(text: string, params: readonly unknown[]): Promise<readonly Readonly<Record<string, unknown>>[]>;
  /** Whether the transaction has not ended yet. Leave it out when the library cannot tell. */
  isOpen?(): boolean;
}

/** Stores calls in one transaction of the application. They exist for other connections once the transaction has committed. */
export interface TransactionEnqueue extends EnqueuePort {
  /** Whether the transaction has not ended yet; false when it is not known. Never rejects. */
  isOpen(): Promise<boolean>;
}

/** Storing calls in transactions of the application. */
export interface TransactionPort {
  /**
   * Stores calls in a transaction of the application: in at most one statement for each call of a method.
   *
   * @returns `undefined` when the tasks are not stored in a database that the application could have a transaction in, so
   * that they need an outbox
   */
  enqueueIn(transaction: TransactionAdapter): TransactionEnqueue | undefined;
}
