import type { Pool, PoolClient, PoolConfig, QueryConfig, QueryResultRow } from 'pg';
import { bareError, bareMessage } from '../../engine/bare-error.js';
import { leaseWithin } from '../../engine/lease-within.js';
import { ConfigurationError } from '../../errors.js';
import { missingTable } from './outbox-database.js';
import { STATEMENT_LIMIT } from './relay-session.js';

/** Whether the server takes no writes. A relay that only reads would not notice that a failover has left it with the former primary. */
export const READ_ONLY = `current_setting('transaction_read_only') AS "readOnly"`;

interface PostgresOutboxPoolDeps {
  readonly pool: Pool;
  /** Whether the pool is this object's own. */
  readonly ownsPool: boolean;
  readonly address: string;
  readonly table: string;
}

/** The connections of an outbox in PostgreSQL. Errors of the server come with their cure. */
export class PostgresOutboxPool {
  readonly address: string;
  readonly table: string;

  constructor(private readonly deps: PostgresOutboxPoolDeps) {
    this.address = deps.address;
    this.table = deps.table;
    // An idle connection that breaks is replaced by the pool. Without a listener the error would end the process.
    if (deps.ownsPool) deps.pool.on('error', ignore);
  }

  /** Runs one statement. */
  ask<R extends QueryResultRow & { readonly readOnly?: string }>(
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
  async leased<T>(run: (client: PoolClient) => Promise<T>): Promise<T> {
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

  connect(): Promise<PoolClient> {
    const { pool, ownsPool } = this.deps;
    return ownsPool ? pool.connect() : leaseWithin<PoolClient>(pool, STATEMENT_LIMIT);
  }

  /** The statement with a limit for its time: a pool of the application mostly has none, and a server that vanished sends no answer. */
  limited(text: string, values?: readonly unknown[]): QueryConfig {
    const { pool, ownsPool } = this.deps;
    const limit = ownsPool ? undefined : ((pool as { options?: PoolConfig }).options?.query_timeout ?? STATEMENT_LIMIT);
    return { text, ...(values && { values: [...values] }), ...(limit !== undefined && { query_timeout: limit }) };
  }

  async close(): Promise<void> {
    if (this.deps.ownsPool) await this.deps.pool.end();
  }

  private explain(error: unknown): unknown {
    const { code = '', message = '' } = error as { code?: string; message?: string };
    const { address, table } = this;
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
export function checkWritable(row: { readonly readOnly?: string } | undefined): void {
  if (row?.readOnly === 'on') throw new Error('The server takes no writes: it is not the primary, or read-only');
}

export function ignore(): void {}
