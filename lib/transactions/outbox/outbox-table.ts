import { ConfigurationError } from '../../errors.js';
import { FORMAT, type NewRow } from './outbox-format.js';

/** The kinds of databases that an outbox can be in. */
export const DIALECTS = ['postgres', 'mysql', 'sqlite'] as const;
export type Dialect = (typeof DIALECTS)[number];

export const DEFAULT_TABLE = 'task_outbox';
/** The channel on which PostgreSQL tells relays of a commit. The message is the store of the calls. */
export const CHANNEL = 'task_outbox';

const TABLE_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,62}(\.[A-Za-z_][A-Za-z0-9_]{0,62})?$/;

/** @throws ConfigurationError when the text is no name of a table */
export function checkTable(table: string): string {
  if (TABLE_NAME.test(table)) return table;
  throw new ConfigurationError(
    `outbox.table is ${JSON.stringify(table)}. Use letters, digits and _, and a schema before a dot if needed: 'app.task_outbox'.`,
  );
}

/** The name of the index of a table, which is in the schema of its table. */
function indexOf(table: string): string {
  return `${table.slice(table.indexOf('.') + 1)}_waiting`;
}

/**
 * The statements that create the table, each of which does nothing when its object is there. `seq` counts the rows in the
 * order of their inserts, `store` is the option `prefix` of the application, `failed_at` and `error` are set on a row
 * that can never be moved.
 */
export function tableStatements(dialect: Dialect, table: string = DEFAULT_TABLE): readonly string[] {
  switch (dialect) {
    case 'postgres':
      return [
        `CREATE TABLE IF NOT EXISTS ${table} (
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  store text NOT NULL,
  queue text NOT NULL,
  calls integer NOT NULL,
  format integer NOT NULL,
  payload text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  failed_at timestamptz,
  error text
)`,
        `CREATE INDEX IF NOT EXISTS ${indexOf(table)} ON ${table} (store, seq) WHERE failed_at IS NULL`,
      ];
    case 'mysql':
      return [
        `CREATE TABLE IF NOT EXISTS ${table} (
  seq BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  store VARCHAR(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  queue VARCHAR(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  calls INT NOT NULL,
  format INT NOT NULL,
  payload LONGTEXT CHARACTER SET utf8mb4 NOT NULL,
  created_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  failed_at TIMESTAMP(3) NULL DEFAULT NULL,
  error TEXT CHARACTER SET utf8mb4,
  KEY ${indexOf(table)} (store, failed_at, seq)
) ENGINE = InnoDB`,
      ];
    case 'sqlite':
      return [
        `CREATE TABLE IF NOT EXISTS ${table} (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  store TEXT NOT NULL,
  queue TEXT NOT NULL,
  calls INTEGER NOT NULL,
  format INTEGER NOT NULL,
  payload TEXT NOT NULL,
  created_at INTEGER NOT NULL DEFAULT (CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)),
  failed_at INTEGER,
  error TEXT,
  claimed_by TEXT,
  claimed_until INTEGER
)`,
        `CREATE INDEX IF NOT EXISTS ${indexOf(table)} ON ${table.slice(table.indexOf('.') + 1)} (store, seq) WHERE failed_at IS NULL`,
      ];
  }
}

/** The statements as a script. */
export function tableScript(dialect: Dialect, table?: string): string {
  return tableStatements(dialect, table)
    .map((statement) => `${statement};\n`)
    .join('');
}

/** One statement with its parameters, in the placeholders of the dialect. */
export interface Statement {
  readonly text: string;
  readonly params: readonly (string | number)[];
}

/**
 * Stores rows in the order of the list. On PostgreSQL, the relays hear of it once the transaction is committed, and the statement
 * returns the number of the transaction.
 */
export function insertRows(dialect: Dialect, table: string, store: string, rows: readonly NewRow[]): Statement {
  const columns = `${table} (store, queue, calls, format, payload)`;
  if (dialect !== 'postgres') {
    return {
      text: `INSERT INTO ${columns} VALUES ${rows.map(() => '(?, ?, ?, ?, ?)').join(', ')}`,
      params: rows.flatMap(({ queue, calls, payload }) => [store, queue, calls, FORMAT, payload]),
    };
  }
  const values = rows.map((_, index) => {
    const first = 2 + index * 3;
    return `($1::text, $${first}::text, $${first + 1}::integer, ${FORMAT}, $${first + 2}::text)`;
  });
  return {
    // As text, because some drivers cannot read a column of the type void.
    text: `WITH stored AS (INSERT INTO ${columns} VALUES ${values.join(', ')}) SELECT pg_notify('${CHANNEL}', $1::text)::text AS notified, txid_current()::text AS transaction`,
    params: [store, ...rows.flatMap(({ queue, calls, payload }) => [queue, calls, payload])],
  };
}
