import type { Pool, PoolClient, PoolConfig, QueryResult } from 'pg';
import { withoutPassword } from '../../engine/connection.js';
import { hostAndPort } from '../../engine/describe-connection.js';
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
import { FORMAT } from './outbox-format.js';
import type { OutboxPart } from './outbox-part.js';
import { PostgresOutboxListener } from './postgres-outbox-listener.js';
import { checkWritable, PostgresOutboxPool, READ_ONLY } from './postgres-outbox-pool.js';
import { SILENCE_LIMIT, STATEMENT_LIMIT, whileAlive } from './relay-session.js';

/** A relay that vanished without closing its connection keeps the lock for no longer than that. */
const BEGIN = `BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL idle_in_transaction_session_timeout = ${SILENCE_LIMIT}`;

/** Opens a pool of few connections: one that listens, one for figures, and one for each part that is moved by itself. */
export async function openPostgresOutbox(
  { url, options, pool }: { url?: string; options?: object; pool?: object },
  table: string,
  parts: number,
): Promise<OutboxDatabase> {
  if (pool) {
    const address = 'PostgreSQL (the pool of the application)';
    return new PostgresOutbox(new PostgresOutboxPool({ pool: pool as Pool, ownsPool: false, address, table }));
  }
  const pg = await loadDriver('pg', () => import('pg'));
  const { Pool: PoolClass } = pg.default ?? pg;
  const config: PoolConfig = url === undefined ? (options as PoolConfig) : { connectionString: url };
  const { connectionString, host = 'localhost', port = 5432 } = config;
  const own = new PoolClass({
    connectionTimeoutMillis: 5_000,
    keepAlive: true,
    query_timeout: STATEMENT_LIMIT,
    ...config,
    max: 2 + parts,
    application_name: config.application_name ?? 'nestjs-task-queue outbox',
  });
  const address = `PostgreSQL at ${connectionString === undefined ? hostAndPort({ host, port }) : withoutPassword(connectionString)}`;
  return new PostgresOutbox(new PostgresOutboxPool({ pool: own, ownsPool: true, address, table }));
}

/**
 * The outbox in PostgreSQL. An advisory lock of the transaction lets one relay work at a time. It ends with the connection,
 * so another relay goes on as soon as the server notices that the first is gone.
 */
class PostgresOutbox implements OutboxDatabase {
  readonly dialect = 'postgres';
  readonly address: string;
  private readonly listener: PostgresOutboxListener;

  constructor(private readonly pool: PostgresOutboxPool) {
    this.address = pool.address;
    this.listener = new PostgresOutboxListener(pool);
  }

  async check(): Promise<void> {
    await this.pool.ask(`SELECT seq, store, queue, calls, format, payload, failed_at FROM ${this.pool.table} LIMIT 0`);
  }

  async hasRows({ store, condition }: OutboxPart): Promise<boolean> {
    const { table } = this.pool;
    const rows = await this.pool.ask<{ found: string; readOnly: string }>(
      `SELECT (EXISTS (SELECT 1 FROM ${table} WHERE store = $1 AND ${WAITING} ${condition}))::text AS found, ${READ_ONLY}`,
      [store],
    );
    return rows[0]?.found === 'true';
  }

  async take(
    { store, lock: name, condition }: OutboxPart,
    limit: number,
    move: (rows: readonly OutboxRow[]) => Promise<MovedRows>,
  ): Promise<Taken> {
    const { table } = this.pool;
    return this.pool.leased(async (client) => {
      const tell = () => client.query(this.pool.limited('SELECT 1'));
      // Several statements in one round trip. The rows are read by a statement of their own, after the lock: only then it sees
      // what the relay before has removed. Without the lock it reads none.
      const results = (await client.query(
        this.pool.limited(`${BEGIN};
SELECT set_config('task_outbox.lock', pg_try_advisory_xact_lock(${this.lockOf(client, name)})::text, true) AS locked, ${READ_ONLY};
SELECT seq::text AS seq, payload FROM ${table}
WHERE current_setting('task_outbox.lock') = 'true' AND store = ${client.escapeLiteral(store)} AND ${WAITING} ${condition}
ORDER BY ${table}.seq LIMIT ${limit}`),
      )) as unknown as readonly QueryResult[];
      const [lock, found] = results.slice(-2);
      checkWritable(lock?.rows[0] as { readOnly?: string } | undefined);
      const rows = (found?.rows ?? []) as OutboxRow[];
      const isLocked = (lock?.rows[0] as { locked?: string } | undefined)?.locked === 'true';
      const { moved, rejected } =
        isLocked && rows.length > 0 ? await whileAlive(tell, () => move(rows)) : { moved: [], rejected: [] };
      for (const { seq, reason } of rejected) {
        await client.query(
          this.pool.limited(
            `UPDATE ${table} SET failed_at = clock_timestamp(), error = $2::text WHERE seq = $1::bigint`,
            [seq, cutReason(reason)],
          ),
        );
      }
      await client.query(
        this.pool.limited(
          moved.length > 0
            ? `DELETE FROM ${table} WHERE seq = ANY('{${moved.join(',')}}'::bigint[]); COMMIT`
            : 'COMMIT',
        ),
      );
      if (!isLocked) return 'busy';
      return rows.length === 0 ? 'empty' : moved.length + rejected.length;
    });
  }

  async findRows(store: string, text: string): Promise<readonly FoundRow[]> {
    const rows = await this.pool.ask<{ payload: string; created: string }>(
      `SELECT payload, (extract(epoch FROM created_at) * 1000)::text AS created
FROM (SELECT payload, created_at FROM ${this.pool.table} WHERE store = $1 AND ${WAITING} ORDER BY seq DESC LIMIT ${SEARCHED_ROWS}) newest
WHERE strpos(payload, $2::text) > 0 LIMIT ${FOUND_ROWS}`,
      [store, text],
    );
    return rows.map(({ payload, created }) => ({ payload, createdAt: Math.trunc(Number(created)) }));
  }

  async figures(store: string): Promise<TableFigures> {
    const rows = await this.pool.ask<{
      queue: string | null;
      calls: string;
      age: string;
      rejected: string;
      newer: string;
    }>(
      `SELECT queue, (coalesce(sum(calls) FILTER (WHERE failed_at IS NULL), 0))::text AS calls,
  (coalesce(extract(epoch FROM clock_timestamp() - min(created_at) FILTER (WHERE failed_at IS NULL)) * 1000, 0))::text AS age,
  count(failed_at)::text AS rejected, (count(*) FILTER (WHERE failed_at IS NULL AND format > ${FORMAT}))::text AS newer
FROM ${this.pool.table} WHERE store = $1 GROUP BY queue`,
      [store],
    );
    return {
      queues: rows
        .filter(({ calls }) => Number(calls) > 0)
        .map(({ queue, calls, age }) => ({ queue: queue ?? '', calls: Number(calls), age: Math.max(Number(age), 0) })),
      rejected: rows.reduce((sum, { rejected }) => sum + Number(rejected), 0),
      newer: rows.reduce((sum, { newer }) => sum + Number(newer), 0),
    };
  }

  async isOpen(transaction: string): Promise<boolean> {
    const [row] = await this.pool.ask<{ status: string | null }>('SELECT txid_status($1::bigint) AS status', [
      transaction,
    ]);
    return row?.status === 'in progress';
  }

  listen(store: string, wake: () => void): void {
    this.listener.listen(store, wake);
  }

  async close(): Promise<void> {
    this.listener.close();
    await this.pool.close();
  }

  /** The lock of a table and a part of its rows. The names of locks are numbers that all programs share in a database. */
  private lockOf(client: PoolClient, name: string): string {
    const text = client.escapeLiteral(`nestjs-task-queue outbox ${name} `);
    return `hashtextextended(${text} || '${this.pool.table}'::regclass::oid::text, 0)`;
  }
}
