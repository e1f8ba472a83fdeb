import pg from 'pg';
import type { Pressure, Program, SqlConnections, SqlDatabase, SqlTransaction } from './sql-database.js';

/** A PostgreSQL server. Each program has connections of its own, as programs on several machines have. */
export class PostgresDatabase implements SqlDatabase {
  readonly name = 'PostgreSQL';
  private readonly watcher: pg.Pool;

  constructor(private readonly url: string) {
    this.watcher = poolOf(url, 'sample watcher', 1);
  }

  connect(program: Program, most: number, load = ''): SqlConnections {
    return new PostgresConnections(poolOf(this.url, `sample ${program} ${load}`.trim(), most));
  }

  async pressure(load: string): Promise<Pressure> {
    const { rows } = await this.watcher.query<Pressure>(
      `SELECT count(*)::integer AS connections, count(*) FILTER (WHERE wait_event_type = 'Lock')::integer AS waiting
      FROM pg_stat_activity
      WHERE datname = current_database() AND application_name IN ($1, 'sample worker')`,
      [`sample shop ${load}`],
    );
    return rows[0] ?? { connections: 0, waiting: 0 };
  }

  close(): Promise<void> {
    return this.watcher.end();
  }
}

class PostgresConnections implements SqlConnections {
  constructor(private readonly pool: pg.Pool) {}

  async transaction<Result>(work: (tx: SqlTransaction) => Promise<Result>): Promise<Result> {
    const client = await this.pool.connect();
    let isBroken = false;
    try {
      await client.query('BEGIN');
      const result = await work(transactionOf(client));
      await client.query('COMMIT');
      return result;
    } catch (error) {
      await client.query('ROLLBACK').catch(() => (isBroken = true));
      throw error;
    } finally {
      client.release(isBroken);
    }
  }

  close(): Promise<void> {
    return this.pool.end();
  }
}

function transactionOf(client: pg.PoolClient): SqlTransaction {
  return {
    dialect: 'postgres',
    query: async (text, values = []) => (await client.query<Record<string, unknown>>(text, [...values])).rows,
  };
}

function poolOf(connectionString: string, application: string, max: number): pg.Pool {
  const pool = new pg.Pool({ connectionString, application_name: application, max, connectionTimeoutMillis: 2000 });
  // A connection that breaks while it is idle: the pool opens another one.
  pool.on('error', () => undefined);
  // A connection that breaks while it is in use: its query fails with the same error.
  pool.on('connect', (client) => client.on('error', () => undefined));
  return pool;
}
