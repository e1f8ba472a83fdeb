import { FORMAT } from './outbox-format.js';
import type { OutboxPart } from './outbox-part.js';
import { DEFAULT_TABLE, type Dialect } from './outbox-table.js';

/** A stored row that waits for a relay. */
export interface OutboxRow {
  /** The place of the row in the order of all inserts. */
  readonly seq: string;
  readonly payload: string;
}

/** What became of the rows of one batch. A row that is in neither list stays and is moved later. */
export interface MovedRows {
  readonly moved: readonly string[];
  /** Rows that can never be moved, with the reason. They stay in the table and no relay takes them. */
  readonly rejected: readonly { readonly seq: string; readonly reason: string }[];
}

/** A row that was found by its text. */
export interface FoundRow {
  readonly payload: string;
  /** Milliseconds since 1970, by the clock of the database. */
  readonly createdAt: number;
}

/**
 * - `empty`: no row waits.
 * - `busy`: another relay is at work, so this one must not take the rows behind.
 * - a number: rows that were moved or rejected.
 */
export type Taken = 'empty' | 'busy' | number;

/** The rows of one queue that wait. */
export interface QueueFigures {
  readonly queue: string;
  readonly calls: number;
  /** Milliseconds since the insert of the oldest. */
  readonly age: number;
}

/** What stands in the table of an application. */
export interface TableFigures {
  readonly queues: readonly QueueFigures[];
  /** Rows that can never be moved. */
  readonly rejected: number;
  /** Rows of a form that this version does not know. */
  readonly newer: number;
}

/** The table `task_outbox` of one database. */
export interface OutboxDatabase {
  readonly dialect: Dialect;
  /** The database, without its password. */
  readonly address: string;
  /**
   * Checks that the table can be used.
   *
   * @throws ConfigurationError when another attempt cannot help
   */
  check(): Promise<void>;
  /** Whether rows of a part wait. It costs less than {@link take}. */
  hasRows(part: OutboxPart): Promise<boolean>;
  /**
   * Hands the first rows of a part to `move` and removes those that were moved. One relay at a time does that, so that the
   * order of the rows is kept; the rows of a relay that dies are free at once, or after a few seconds on SQLite.
   */
  take(part: OutboxPart, limit: number, move: (rows: readonly OutboxRow[]) => Promise<MovedRows>): Promise<Taken>;
  /**
   * Looks for rows that wait and whose payloads contain `text`, among the {@link SEARCHED_ROWS} newest.
   *
   * @throws the error of the driver when the database cannot be reached
   */
  findRows(store: string, text: string): Promise<readonly FoundRow[]>;
  figures(store: string): Promise<TableFigures>;
  /** Whether the transaction of this number goes on; false when the database does not tell. */
  isOpen(transaction: string): Promise<boolean>;
  /** Calls `wake` when rows of `store` were committed, as far as the database tells. Polling makes up for the rest. */
  listen(store: string, wake: () => void): void;
  /** Ends the connections that this object opened. */
  close(): Promise<void>;
}

/** Which rows a relay of this version takes. */
export const WAITING = `failed_at IS NULL AND format <= ${FORMAT}`;

/** A search reads the payloads, which have no index, so it reads no more rows than gather in some seconds. */
export const SEARCHED_ROWS = 1_000;

/** A text that stands in more rows is no id. */
export const FOUND_ROWS = 10;

/** The longest reason that is stored with a row. */
const REASON_LENGTH = 1_000;

export function cutReason(reason: string): string {
  return reason.replaceAll('\u0000', '').slice(0, REASON_LENGTH);
}

/** What a user does about a table that is missing. */
export function missingTable(table: string, address: string, dialect: Dialect): string {
  const option = table === DEFAULT_TABLE ? '' : ` --table ${table}`;
  const migrate =
    dialect === 'postgres' ? `, or run: npx nestjs-task-queue migrate --url <url of it> --outbox${option}` : '';
  return (
    `The table ${table} is missing in ${address}, so .in(tx) has no place for its calls. Create it there with what this prints: ` +
    `npx nestjs-task-queue outbox --dialect ${dialect}${option}${migrate}`
  );
}
