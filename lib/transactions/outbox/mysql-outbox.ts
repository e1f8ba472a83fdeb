import { createHash } from 'node:crypto';
import type { Pool, PoolConnection, RowDataPacket } from 'mysql2/promise';
import { bareError, bareMessage } from '../../engine/bare-error.js';
import { withoutPassword } from '../../engine/connection.js';
import { ConfigurationError } from '../../errors.js';
import { loadDriver } from './load-driver.js';
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
import { SILENCE_LIMIT, STATEMENT_LIMIT, whileAlive } from './relay-session.js';

/** A pool of mysql2 that the application owns: of `mysql2/promise`, or of `mysql2`. */
export interface MysqlPoolLike {
  readonly getConnection: object;
  readonly promise?: () => unknown;
}

/** Opens a pool of few connections: one for figures, and one for each part that is moved by itself. */
export async function openMysqlOutbox(
  connection: string | MysqlPoolLike,
  table: string,
  parts: number,
): Promise<OutboxDatabase> {
  if (typeof connection !== 'string') {
    const pool = (connection.promise ? connection.promise() : connection) as Pool;
    return new MysqlOutbox(pool, false, 'MySQL (the pool of the application)', table);
  }
  const mysql = await loadDriver('mysql2', () => importMysql('mysql2/promise'));
  const pool = mysql.createPool({
    uri: connection.replace(/^mariadb:/i, 'mysql:'),
    connectionLimit: 1 + parts,
    connectTimeout: 5_000,
    enableKeepAlive: true,
  });
  return new MysqlOutbox(pool, true, `MySQL at ${withoutPassword(connection)}`, table);
}

/**
 * The outbox in MySQL or MariaDB. `GET_LOCK` lets one relay work at a time. The lock ends with the connection, so another
 * relay goes on as soon as the server notices that the first is gone.
 */
class MysqlOutbox extends PolledOutbox implements OutboxDatabase {
  readonly dialect = 'mysql';

  constructor(
    private readonly pool: Pool,
    private readonly ownsPool: boolean,
    address: string,
    table: string,
  ) {
    super(address, table);
  }

  async check(): Promise<void> {
    await this.ask(`SELECT seq, store, queue, calls, format, payload, failed_at FROM ${this.table} LIMIT 0`);
  }

  async hasRows({ store, condition }: OutboxPart): Promise<boolean> {
    const found = await this.ask(`SELECT 1 FROM ${this.table} WHERE store = ? AND ${WAITING} ${condition} LIMIT 1`, [
      store,
    ]);
    return found.length > 0;
  }

  take(
    { store, lock, condition }: OutboxPart,
    limit: number,
    move: (rows: readonly OutboxRow[]) => Promise<MovedRows>,
  ): Promise<Taken> {
    const waiting = `FROM ${this.table} WHERE store = ? AND ${WAITING} ${condition}`;
    return this.locked(lock, async (connection) => {
      const rows = await send(
        connection,
        `SELECT CAST(seq AS CHAR) AS seq, payload ${waiting} ORDER BY ${this.table}.seq LIMIT ${limit}`,
        [store],
      );
      if (rows.length === 0) return 'empty';
      const { moved, rejected } = await whileAlive(
        () => send(connection, 'SELECT 1'),
        () => move(rows as unknown as OutboxRow[]),
      );
      if (moved.length > 0) await send(connection, `DELETE FROM ${this.table} WHERE seq IN (?)`, [moved]);
      for (const { seq, reason } of rejected) {
        await send(connection, `UPDATE ${this.table} SET failed_at = CURRENT_TIMESTAMP(3), error = ? WHERE seq = ?`, [
          cutReason(reason),
          seq,
        ]);
      }
      return moved.length + rejected.length;
    });
  }

  async findRows(store: string, text: string): Promise<readonly FoundRow[]> {
    const rows = await this.ask(
      `SELECT payload, UNIX_TIMESTAMP(created_at) * 1000 AS created
FROM (SELECT payload, created_at FROM ${this.table} WHERE store = ? AND ${WAITING} ORDER BY seq DESC LIMIT ${SEARCHED_ROWS}) newest
WHERE INSTR(payload, BINARY ?) > 0 LIMIT ${FOUND_ROWS}`,
      [store, text],
    );
    return rows.map(({ payload, created }) => ({ payload: String(payload), createdAt: Math.trunc(Number(created)) }));
  }

  async figures(store: string): Promise<TableFigures> {
    const rows = await this.ask(
      `SELECT queue, SUM(IF(failed_at IS NULL, calls, 0)) AS calls,
  TIMESTAMPDIFF(MICROSECOND, MIN(IF(failed_at IS NULL, created_at, NULL)), CURRENT_TIMESTAMP(3)) / 1000 AS age,
  COUNT(failed_at) AS rejected, SUM(failed_at IS NULL AND format > ${FORMAT}) AS newer
FROM ${this.table} WHERE store = ? GROUP BY queue`,
      [store],
    );
    return figuresOf(rows);
  }

  async close(): Promise<void> {
    if (this.ownsPool) await this.pool.end();
  }

  private locked(name: string, run: (connection: PoolConnection) => Promise<Taken>): Promise<Taken> {
    return this.leased(async (connection) => {
      await send(
        connection,
        `SET @task_outbox_wait_timeout = @@SESSION.wait_timeout, SESSION wait_timeout = ${SILENCE_LIMIT / 1_000}`,
      );
      const [lock] = await send(
        connection,
        "SELECT GET_LOCK(CONCAT(?, LEFT(SHA1(COALESCE(DATABASE(), '')), 16)), 0) AS locked",
        [this.lockName(name)],
      );
      const taken = Number(lock?.['locked']) === 1 ? await run(connection) : 'busy';
      await send(
        connection,
        'SET @task_outbox_unlocked = RELEASE_ALL_LOCKS(), SESSION wait_timeout = @task_outbox_wait_timeout',
      );
      return taken;
    });
  }

  private ask(text: string, values?: readonly unknown[]): Promise<RowDataPacket[]> {
    return this.leased((connection) => send(connection, text, values));
  }

  /** Runs statements on a connection, which is not used again after an error: a statement may still be at work on it. */
  private async leased<T>(run: (connection: PoolConnection) => Promise<T>): Promise<T> {
    let connection: PoolConnection | undefined;
    let isBroken = true;
    try {
      connection = await this.pool.getConnection();
      const result = await run(connection);
      isBroken = false;
      return result;
    } catch (error) {
      throw this.explain(error);
    } finally {
      // The end of the connection ends its lock too.
      if (isBroken) connection?.destroy();
      else connection?.release();
    }
  }

  /** Locks are named for the whole server, in at most 64 characters. */
  private lockName(name: string): string {
    return `task_outbox_${createHash('sha1').update(`${this.table} ${name}`).digest('hex').slice(0, 20)}_`;
  }

  private explain(error: unknown): unknown {
    const { code = '' } = error as { code?: string };
    const { table, address } = this;
    if (code === 'ER_NO_SUCH_TABLE') return this.tableIsMissing(error);
    if (code === 'ER_BAD_FIELD_ERROR') {
      return this.isAnotherTable(error);
    }
    if (/ACCESS_DENIED|TABLEACCESS_DENIED|ER_BAD_DB_ERROR|ER_NO_DB_ERROR/.test(code)) {
      return new ConfigurationError(
        `${address} cannot be used: ${bareMessage(error)}. Check outbox: { connection }, and that its user may select, insert, update and delete in ${table}.`,
        { cause: bareError(error) },
      );
    }
    return error;
  }
}

/** Sends a statement and waits for the answer no longer than the limit. By itself, mysql2 waits for many minutes. */
async function send(
  connection: PoolConnection,
  sql: string,
  values: readonly unknown[] = [],
): Promise<RowDataPacket[]> {
  const [rows] = await connection.query<RowDataPacket[]>({ sql, timeout: STATEMENT_LIMIT }, [...values]);
  return rows;
}

/** A bundler would look for a name that stands in an import, also in applications without MySQL. */
async function importMysql(name: string): Promise<typeof import('mysql2/promise')> {
  return (await import(name)) as typeof import('mysql2/promise');
}
