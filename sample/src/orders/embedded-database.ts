import { PGlite, type Transaction } from '@electric-sql/pglite';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Pressure, Program, SqlConnections, SqlDatabase, SqlTransaction } from './sql-database.js';

/**
 * PostgreSQL inside of this process, in memory. It has one connection, for which the programs wait in a line. So what is counted here
 * are programs instead of connections, and the line instead of locks.
 */
export class EmbeddedDatabase implements SqlDatabase {
  readonly name = 'PostgreSQL inside of this process (PGlite)';
  private opened: Promise<PGlite> | undefined;
  private programs = 0;
  private waiting = 0;

  connect(program: Program): SqlConnections {
    const counts = program === 'page' ? 0 : 1;
    this.programs += counts;
    return {
      transaction: (work) => this.transaction(work),
      close: async () => void (this.programs -= counts),
    };
  }

  async pressure(): Promise<Pressure> {
    return { connections: this.programs, waiting: this.waiting };
  }

  async close(): Promise<void> {
    await (await this.opened)?.close();
  }

  /** Opens the database at the first use, because most visitors never use it. */
  private async transaction<Result>(work: (tx: SqlTransaction) => Promise<Result>): Promise<Result> {
    const database = await (this.opened ??= PGlite.create());
    this.waiting++;
    let isWaiting = true;
    const begin = () => {
      if (isWaiting) this.waiting--;
      isWaiting = false;
    };
    try {
      return await database.transaction(async (tx) => {
        begin();
        // The database computes in this thread. Without a turn of the loop, a load would keep all requests waiting.
        await nextTurn();
        return work(transactionOf(tx));
      });
    } finally {
      begin();
    }
  }
}

function transactionOf(tx: Transaction): SqlTransaction {
  return {
    dialect: 'postgres',
    query: async (text, values = []) => (await tx.query<Record<string, unknown>>(text, [...values])).rows,
  };
}
