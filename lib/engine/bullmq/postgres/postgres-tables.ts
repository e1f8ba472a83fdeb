import { DelayedIndex, type IndexState } from './delayed-index.js';
import type { PostgresPools } from './postgres-pools.js';
import {
  asConfigurationError,
  grantSchema,
  migrateSchema,
  migrationIsDue,
  needsMigration,
  schemaVersion,
  type SchemaVersion,
} from './postgres-schema.js';

export interface PostgresTablesDeps {
  readonly pools: Pick<PostgresPools, 'queries' | 'connect'>;
  readonly schema: string;
  readonly address: string;
  /** Whether this process may create and change the tables. */
  readonly mayMigrate: boolean;
}

/** The tables in which the tasks are: BullMQ's, and the index that this package adds to them. */
export class PostgresTables {
  private readonly index: DelayedIndex;

  constructor(private readonly deps: PostgresTablesDeps) {
    this.index = new DelayedIndex(deps.pools.queries, deps.schema);
  }

  /** Whether the index for pages of delayed tasks was there when the tables were prepared. */
  get hasDelayedIndex(): boolean {
    return this.index.isThere;
  }

  /**
   * Migrates the tables if need be, and if this process may.
   *
   * @throws ConfigurationError when another attempt cannot help
   */
  async prepare(): Promise<void> {
    const { pools, schema, address, mayMigrate } = this.deps;
    if (await needsMigration(pools.queries, schema, address)) {
      if (!mayMigrate) throw migrationIsDue(await this.version(), schema, address);
      await this.onOwnConnection((client) => migrateSchema(client, schema, address));
    }
    await this.index.prepare(mayMigrate);
  }

  /** The version of the tables. Changes nothing. */
  version(): Promise<SchemaVersion> {
    const { pools, schema, address } = this.deps;
    return schemaVersion(pools.queries, schema, address);
  }

  /** Whether the index for pages of delayed tasks is there. Changes nothing. */
  indexState(): Promise<IndexState> {
    return this.index.state();
  }

  /**
   * Builds the index for pages of delayed tasks, while other processes go on.
   *
   * @returns whether there was something to build
   * @throws ConfigurationError when the role may not build it
   */
  buildIndex(): Promise<boolean> {
    const { schema, address } = this.deps;
    return this.onOwnConnection(async (client) => {
      try {
        return await this.index.build(client);
      } catch (error) {
        throw (await asConfigurationError(error, client, schema, address)) ?? error;
      }
    });
  }

  /** Lets a role use the tables. Only the owner of the tables can call this method. */
  async grant(role: string): Promise<void> {
    await grantSchema(this.deps.pools.queries, this.deps.schema, role);
  }

  /** A migration, or an index of a large table, takes long, so it gets a connection without a limit for queries. */
  private async onOwnConnection<T>(
    work: (client: Awaited<ReturnType<PostgresPools['connect']>>) => Promise<T>,
  ): Promise<T> {
    const client = await this.deps.pools.connect();
    try {
      return await work(client);
    } finally {
      client.release();
    }
  }
}
