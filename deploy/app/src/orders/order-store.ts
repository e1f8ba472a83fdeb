import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import pg from 'pg';

export interface Order {
  readonly id: string;
  readonly item: string;
  /** How often the order was shipped: 0 or 1. */
  readonly shipped: number;
}

/** The orders, in the database at DATABASE_URL. */
@Injectable()
export class OrderStore implements OnApplicationShutdown {
  // Each process has a pool of its own: five connections times all processes have to fit into the database.
  readonly #pool = new pg.Pool({ connectionString: process.env['DATABASE_URL'], max: 5 });

  /** Stores an order once for each key, however often the client or the proxy repeats the request. */
  async add(key: string, item: string): Promise<Order> {
    const { rows } = await this.#pool.query<Order>(
      `INSERT INTO orders (key, item) VALUES ($1, $2)
       ON CONFLICT (key) DO UPDATE SET key = excluded.key
       RETURNING id, item, shipped`,
      [key, item],
    );
    return rows[0] as Order;
  }

  async find(id: string): Promise<Order | undefined> {
    const { rows } = await this.#pool.query<Order>('SELECT id, item, shipped FROM orders WHERE id = $1', [id]);
    return rows[0];
  }

  /** Counts what was shipped, and does nothing for an order that was: a task may run twice. */
  async ship(id: string): Promise<void> {
    await this.#pool.query('UPDATE orders SET shipped = shipped + 1 WHERE id = $1 AND shipped = 0', [id]);
  }

  async onApplicationShutdown(): Promise<void> {
    await this.#pool.end();
  }
}
