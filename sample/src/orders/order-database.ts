import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { databaseUrl } from '../database/database-url.js';
import { EmbeddedDatabase } from './embedded-database.js';
import { CREATE, type NamedOrder, writeOrder, writeOrders } from './order-statements.js';
import { PostgresDatabase } from './postgres-database.js';
import type { Pressure, SqlConnections, SqlDatabase, SqlTransaction } from './sql-database.js';

/** The one database that all shops write to. */
@Injectable()
export class OrderDatabase implements OnApplicationShutdown {
  private readonly database: SqlDatabase;
  /** The connection of the worker, which writes the batches. */
  private readonly worker: SqlConnections;
  /** The connection of the page. */
  private readonly page: SqlConnections;
  private tables: Promise<void> | undefined;

  constructor() {
    const url = databaseUrl();
    this.database = url === undefined ? new EmbeddedDatabase() : new PostgresDatabase(url);
    this.worker = this.database.connect('worker', 1);
    this.page = this.database.connect('page', 1);
  }

  get name(): string {
    return this.database.name;
  }

  /** Opens the connection of a shop that writes its orders by itself. */
  openShop(load: string): { write(order: NamedOrder): Promise<void>; close(): Promise<void> } {
    const shop = this.database.connect('shop', 1, load);
    return {
      write: async (order) => {
        await this.createTables();
        await shop.transaction((tx) => writeOrder(tx, order));
      },
      close: () => shop.close(),
    };
  }

  /** Writes the orders of a batch by the one connection of the worker. */
  async write(orders: readonly NamedOrder[]): Promise<void> {
    await this.createTables();
    await this.worker.transaction((tx) => writeOrders(tx, orders));
  }

  /** Runs a transaction of the web process. */
  async transaction<Result>(work: (tx: SqlTransaction) => Promise<Result>): Promise<Result> {
    await this.createTables();
    return this.page.transaction(work);
  }

  async countOf(load: string): Promise<number> {
    const rows = await this.transaction((tx) =>
      tx.query('SELECT count(*)::integer AS count FROM sample.orders WHERE load = $1', [load]),
    );
    return Number(rows[0]?.['count']);
  }

  pressure(load: string): Promise<Pressure> {
    return this.database.pressure(load);
  }

  /** Lets the database refuse all orders for some seconds, as a server does that restarts. */
  async stopFor(seconds: number): Promise<void> {
    await this.transaction(async (tx) => {
      await tx.query('DELETE FROM sample.outage');
      await tx.query('INSERT INTO sample.outage VALUES (clock_timestamp() + make_interval(secs => $1))', [seconds]);
    });
  }

  async isStopped(): Promise<boolean> {
    const rows = await this.transaction((tx) => tx.query('SELECT FROM sample.outage WHERE until > clock_timestamp()'));
    return rows.length > 0;
  }

  async onApplicationShutdown(): Promise<void> {
    await Promise.all([this.worker.close(), this.page.close()]);
    await this.database.close();
  }

  private createTables(): Promise<void> {
    this.tables ??= this.page
      .transaction(async (tx) => {
        for (const statement of CREATE) await tx.query(statement);
      })
      .catch((error: unknown) => {
        // The next use tries again: the database may be back then.
        this.tables = undefined;
        throw error;
      });
    return this.tables;
  }
}
