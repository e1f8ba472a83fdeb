import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { type Dialect, Kysely } from 'kysely';
import type { Tables } from './tables.js';

/**
 * The database of the sample: `await this.database.selectFrom('post').selectAll().execute()`.
 *
 * The tasks wait elsewhere, unless both are in one PostgreSQL database. So what a transaction enqueues with `.in(tx)` goes through the
 * table `task_outbox`, in which it is committed or rolled back with the transaction.
 */
@Injectable()
export class Database extends Kysely<Tables> implements OnApplicationShutdown {
  constructor(dialect: Dialect) {
    super({ dialect });
  }

  async onApplicationShutdown(): Promise<void> {
    await this.destroy();
  }
}
