import type { Pool, PoolClient, PoolConfig, QueryConfig, QueryResult, QueryResultRow } from 'pg';
import { bareError, bareMessage } from '../../engine/bare-error.js';
import { withoutPassword } from '../../engine/connection.js';
import { hostAndPort } from '../../engine/describe-connection.js';
import { leaseWithin } from '../../engine/lease-within.js';
import { hasSession } from '../../engine/session-pooling.js';
import { ConfigurationError } from '../../errors.js';
import { loadDriver } from './load-driver.js';
import {
  cutReason,
  FOUND_ROWS,
  type FoundRow,
  missingTable,
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
import { CHANNEL } from './outbox-table.js';
import { SILENCE_LIMIT, STATEMENT_LIMIT, whileAlive } from './relay-session.js';

/** Milliseconds between the loss of the connection that listens and the next attempt. Polling goes on meanwhile. */
const LISTEN_AGAIN_AFTER = 1_000;
/** Milliseconds between two statements that show whether the connection that listens is alive. */
const HEARTBEAT = 15_000;

/** A relay that vanished without closing its connection keeps the lock for no longer than that. */
const BEGIN = `BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL idle_in_transaction_session_timeout = ${SILENCE_LIMIT}`;

/** Whether the server takes no writes. A relay that only reads would not notice that a failover has left it with the former primary. */
const READ_ONLY = `current_setting('transaction_read_only') AS "readOnly"`;

const ignore = () => undefined;

interface PostgresOutboxDeps {
  readonly pool: Pool;
  /** Whether the pool is this object's own. */
  readonly ownsPool: boolean;
  readonly address: string;
  readonly table: string;
}

/** Opens a pool of few connections: one that listens, one for figures, and one for each part that is moved by itself. */
export async function openPostgresOutbox(
  { url, options, pool }: { url?: string; options?: object; pool?: object },
  table: string,
  parts: number,
): Promise<OutboxDatabase> {
  if (pool) {
    return new PostgresOutbox({
      pool: pool as Pool,
      ownsPool: false,
      address: 'PostgreSQL (the pool of the application)',
      table,
    });
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
  return new PostgresOutbox({ pool: own, ownsPool: true, address, table });
}

/**
 * The outbox in PostgreSQL. An advisory lock of the transaction lets one relay work at a time. It ends with the connection,
 * so another relay goes on as soon as the server notices that the first is gone.
 */
class PostgresOutbox implements OutboxDatabase {
  readonly dialect = 'postgres';
  readonly address: string;
  private listener: PoolClient | undefined;
  private retry: NodeJS.Timeout | undefined;
  /** Whether a connection that listens would hear something; `undefined`: not known yet. */
  private hears: boolean | undefined;
  private isClosed = false;

  constructor(private readonly deps: PostgresOutboxDeps) {
    this.address = deps.address;
    // An idle connection that breaks is replaced by the pool. Without a listener the error would end the process.
    if (deps.ownsPool) deps.pool.on('error', () => undefined);
  }

  async check(): Promise<void> {
    await this.ask(`SELECT seq, store, queue, calls, format, payload, failed_at FROM ${this.deps.table} LIMIT 0`);
  }

  async hasRows({ store, condition }: OutboxPart): Promise<boolean> {
    const { table } = this.deps;
    const rows = await this.ask<{ found: string; readOnly: string }>(
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
    const { table } = this.deps;
    return this.leased(async (client) => {
      const tell = () => client.query(this.limited('SELECT 1'));
      // Several statements in one round trip. The rows are read by a statement of their own, after the lock: only then it sees
      // what the relay before has removed. Without the lock it reads none.
      const results = (await client.query(
        this.limited(`${BEGIN};
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
          this.limited(`UPDATE ${table} SET failed_at = clock_timestamp(), error = $2::text WHERE seq = $1::bigint`, [
            seq,
            cutReason(reason),
          ]),
        );
      }
      await client.query(
        this.limited(
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
    const rows = await this.ask<{ payload: string; created: string }>(
      `SELECT payload, (extract(epoch FROM created_at) * 1000)::text AS created
FROM (SELECT payload, created_at FROM ${this.deps.table} WHERE store = $1 AND ${WAITING} ORDER BY seq DESC LIMIT ${SEARCHED_ROWS}) newest
WHERE strpos(payload, $2::text) > 0 LIMIT ${FOUND_ROWS}`,
      [store, text],
    );
    return rows.map(({ payload, created }) => ({ payload, createdAt: Math.trunc(Number(created)) }));
  }

  async figures(store: string): Promise<TableFigures> {
    const rows = await this.ask<{ queue: string | null; calls: string; age: string; rejected: string; newer: string }>(
      `SELECT queue, (coalesce(sum(calls) FILTER (WHERE failed_at IS NULL), 0))::text AS calls,
  (coalesce(extract(epoch FROM clock_timestamp() - min(created_at) FILTER (WHERE failed_at IS NULL)) * 1000, 0))::text AS age,
  count(failed_at)::text AS rejected, (count(*) FILTER (WHERE failed_at IS NULL AND format > ${FORMAT}))::text AS newer
FROM ${this.deps.table} WHERE store = $1 GROUP BY queue`,
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
    const [row] = await this.ask<{ status: string | null }>('SELECT txid_status($1::bigint) AS status', [transaction]);
    return row?.status === 'in progress';
  }

  listen(store: string, wake: () => void): void {
    if (this.isClosed) return;
    this.openListener(store, wake).catch(() => this.listenLater(store, wake));
  }

  async close(): Promise<void> {
    this.isClosed = true;
    clearTimeout(this.retry);
    this.listener?.release(true);
    this.listener = undefined;
    if (this.deps.ownsPool) await this.deps.pool.end();
  }

  private async openListener(store: string, wake: () => void): Promise<void> {
    const client = await this.connect();
    if (this.isClosed) return client.release(true);
    if (!(await this.canListen(client))) return;
    this.listener = client;
    let heartbeat: NodeJS.Timeout | undefined;
    const end = () => {
      clearInterval(heartbeat);
      if (this.listener !== client) return;
      this.listener = undefined;
      client.release(true);
      this.listenLater(store, wake);
    };
    client.on('error', end);
    client.on('end', end);
    client.on('notification', ({ channel, payload }) => {
      if (channel === CHANNEL && payload === store) wake();
    });
    try {
      await client.query(this.limited(`LISTEN ${CHANNEL}`));
      // What was committed before that is found now.
      wake();
    } catch {
      return end();
    }
    const ask = async () => checkWritable((await client.query(this.limited(`SELECT ${READ_ONLY}`))).rows[0] as object);
    heartbeat = setInterval(() => void ask().catch(end), HEARTBEAT).unref();
  }

  /** Releases the client when it cannot. Behind a pooler that gives its session to other clients, these would hear the notifications. */
  private async canListen(client: PoolClient): Promise<boolean> {
    client.on('error', ignore);
    try {
      this.hears ??= await hasSession(this.sessionOf(client), client, async () => this.sessionOf(await this.connect()));
    } catch (error) {
      client.release(true);
      throw error;
    } finally {
      client.off('error', ignore);
    }
    if (this.isClosed || !this.hears) client.release(this.isClosed);
    return !this.isClosed && this.hears;
  }

  private sessionOf(client: PoolClient) {
    return { query: (text: string) => client.query(this.limited(text)), release: () => client.release() };
  }

  private listenLater(store: string, wake: () => void): void {
    if (this.isClosed) return;
    this.retry = setTimeout(() => this.listen(store, wake), LISTEN_AGAIN_AFTER).unref();
  }

  private ask<R extends QueryResultRow & { readonly readOnly?: string }>(
    text: string,
    values?: readonly unknown[],
  ): Promise<readonly R[]> {
    return this.leased(async (client) => {
      const { rows } = await client.query<R>(this.limited(text, values));
      checkWritable(rows[0]);
      return rows;
    });
  }

  /**
   * Runs statements on a connection. After an error it may lead to a former primary, or a statement may still be at work on it, so it is
   * not used again; its end rolls back.
   */
  private async leased<T>(run: (client: PoolClient) => Promise<T>): Promise<T> {
    let client: PoolClient | undefined;
    let isBroken = true;
    try {
      client = await this.connect();
      // pg reports a connection that breaks between two statements here.
      client.on('error', ignore);
      const result = await run(client);
      isBroken = false;
      return result;
    } catch (error) {
      throw this.explain(error);
    } finally {
      client?.off('error', ignore);
      client?.release(isBroken);
    }
  }

  private connect(): Promise<PoolClient> {
    const { pool, ownsPool } = this.deps;
    return ownsPool ? pool.connect() : leaseWithin<PoolClient>(pool, STATEMENT_LIMIT);
  }

  /** The statement with a limit for its time: a pool of the application mostly has none, and a server that vanished sends no answer. */
  private limited(text: string, values?: readonly unknown[]): QueryConfig {
    const { pool, ownsPool } = this.deps;
    const limit = ownsPool ? undefined : ((pool as { options?: PoolConfig }).options?.query_timeout ?? STATEMENT_LIMIT);
    return { text, ...(values && { values: [...values] }), ...(limit !== undefined && { query_timeout: limit }) };
  }

  /** The lock of a table and a part of its rows. The names of locks are numbers that all programs share in a database. */
  private lockOf(client: PoolClient, name: string): string {
    const text = client.escapeLiteral(`nestjs-task-queue outbox ${name} `);
    return `hashtextextended(${text} || '${this.deps.table}'::regclass::oid::text, 0)`;
  }

  private explain(error: unknown): unknown {
    const { code = '', message = '' } = error as { code?: string; message?: string };
    const { address, table } = this.deps;
    if (code === '42P01' || code === '3F000')
      return new ConfigurationError(missingTable(table, address, 'postgres'), { cause: bareError(error) });
    if (code === '42703') {
      return new ConfigurationError(
        `The table ${table} in ${address} is not that of this package: ${bareMessage(error)}. Give another name with outbox: { table }.`,
        { cause: bareError(error) },
      );
    }
    if (code === '42501') {
      return new ConfigurationError(
        `${address}: the role of the outbox may not use the table ${table} (${bareMessage(error)}). Grant it: GRANT SELECT, INSERT, UPDATE, DELETE ON ${table} TO <role>`,
        { cause: bareError(error) },
      );
    }
    if (
      code.startsWith('28') ||
      code === '3D000' ||
      /password must be a string|SASL|does not support SSL/i.test(message)
    ) {
      return new ConfigurationError(`${address} cannot be used: ${bareMessage(error)}. Check outbox: { connection }.`, {
        cause: bareError(error),
      });
    }
    return error;
  }
}

/** @throws Error, behind which the connection is not used again */
function checkWritable(row: { readonly readOnly?: string } | undefined): void {
  if (row?.readOnly === 'on') throw new Error('The server takes no writes: it is not the primary, or read-only');
}
