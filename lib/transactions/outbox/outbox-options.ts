import {
  parseConnection,
  withoutPassword,
  type PostgresConnectionOptions,
  type PostgresPoolLike,
} from '../../engine/connection.js';
import { ConfigurationError } from '../../errors.js';
import { checkFields, type FieldsOf } from '../../option-fields.js';
import type { MysqlPoolLike } from './mysql-outbox.js';
import type { OutboxDatabase } from './outbox-database.js';
import { checkTable, DEFAULT_TABLE, type Dialect } from './outbox-table.js';

/** The option `outbox` of `TaskQueueModule.forRoot()`. */
export interface OutboxOptions {
  /**
   * The database of the application's transactions, from which this process moves calls on:
   *
   * - a URL: `postgres://`, `mysql://`, `mariadb://`, or `sqlite:<file>`
   * - the options of `pg.Pool`, or a pool of pg
   * - a pool of `mysql2`
   *
   * Without it, `.in(tx)` works in this process, and other processes have to move the calls on.
   *
   * @example 'postgres://app:password@localhost:5432/shop'
   */
  readonly connection?: string | PostgresConnectionOptions | PostgresPoolLike | MysqlPoolLike;
  /**
   * The name of the table, with its schema if that is not the default one: `'app.task_outbox'`. It must be the same in all
   * processes of the application. Default: `'task_outbox'`.
   */
  readonly table?: string;
}

/** The option `outbox`, checked. */
export interface ResolvedOutbox {
  readonly table: string;
  /** The kind of its database; `undefined` in a process that does not know the database. */
  readonly dialect: Dialect | undefined;
  /** Opens the database; `undefined` in a process that moves nothing. */
  readonly open: OpenOutbox | undefined;
}

/** @param parts how many parts of the rows are moved by themselves */
type OpenOutbox = (parts: number) => Promise<OutboxDatabase>;

const KNOWN: FieldsOf<OutboxOptions> = { connection: true, table: true };

const CURE =
  'Give the database of your transactions: postgres://user:password@host:5432/database, mysql://user:password@host:3306/database, ' +
  'sqlite:<file>, options or a pool of pg, or a pool of mysql2.';

/** @throws ConfigurationError with the option, the value without its password, and the cure */
export function resolveOutbox(options: OutboxOptions | undefined): ResolvedOutbox | undefined {
  if (options === undefined) return undefined;
  checkFields<OutboxOptions>(options, 'outbox', KNOWN);
  const { connection, table: name = DEFAULT_TABLE } = options;
  const table = checkTable(name);
  return { table, ...(connection === undefined ? { dialect: undefined, open: undefined } : opener(connection, table)) };
}

interface Opener {
  readonly dialect: Dialect;
  readonly open: OpenOutbox;
}

function opener(connection: NonNullable<OutboxOptions['connection']>, table: string): Opener {
  if (isMysqlPool(connection)) return openMysql(connection, table);
  if (typeof connection !== 'string') {
    if (typeof connection === 'object' && connection !== null) return openPostgres(connection, table);
    throw new ConfigurationError(`outbox.connection is ${String(connection)}. ${CURE}`);
  }
  const scheme = /^([a-z]+):/i.exec(connection)?.[1]?.toLowerCase();
  if (scheme === 'sqlite' || scheme === 'file') return openSqlite(connection, table);
  if ((scheme === 'mysql' || scheme === 'mariadb') && URL.canParse(connection)) return openMysql(connection, table);
  if ((scheme === 'postgres' || scheme === 'postgresql') && URL.canParse(connection))
    return openPostgres(connection, table);
  throw new ConfigurationError(`outbox.connection is "${withoutPassword(connection)}". ${CURE}`);
}

function openPostgres(connection: string | PostgresConnectionOptions | PostgresPoolLike, table: string): Opener {
  const parsed = parseConnection(connection);
  if (parsed.kind !== 'postgres')
    throw new ConfigurationError(`outbox.connection is not the database of transactions. ${CURE}`);
  return {
    dialect: 'postgres',
    open: async (parts) => (await import('./postgres-outbox.js')).openPostgresOutbox(parsed, table, parts),
  };
}

function openMysql(connection: string | MysqlPoolLike, table: string): Opener {
  return {
    dialect: 'mysql',
    open: async (parts) => (await import('./mysql-outbox.js')).openMysqlOutbox(connection, table, parts),
  };
}

function openSqlite(url: string, table: string): Opener {
  const file = url.replace(/^(sqlite|file):(\/\/)?/i, '');
  if (file === '' || file === ':memory:') {
    throw new ConfigurationError(
      `outbox.connection is "${url}". A database in memory belongs to one connection, so give a file: sqlite:./app.db`,
    );
  }
  return { dialect: 'sqlite', open: async () => (await import('./sqlite-outbox.js')).openSqliteOutbox(file, table) };
}

function isMysqlPool(value: unknown): value is MysqlPoolLike {
  return typeof (value as { getConnection?: unknown } | null)?.getConnection === 'function';
}
