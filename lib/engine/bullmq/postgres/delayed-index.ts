import type { PgPoolClient, PgQueryable } from 'bullmq';
import { bullmq } from '../bullmq-package.cjs';

/** The index by which a page of delayed jobs is read, however many of them are due in the same millisecond. */
const NAME = 'task_queue_delayed_idx';

/** Bytes of the table up to which a process that starts makes the index: that takes a tenth of a second. */
const SMALL_TABLE = 32 * 1024 * 1024;

/** Milliseconds for which a process that starts waits for the lock on the table. All writers would wait behind it. */
const LOCK_LIMIT = 500;

/** What is there of the index. `building`: another session builds it just now. `broken`: its builder was interrupted. */
export type IndexState = 'valid' | 'building' | 'broken' | 'missing';

interface Found {
  readonly state: IndexState;
  /** Bytes of the table, as text. */
  readonly size: string;
}

/**
 * The only index that this package adds to BullMQ's table. BullMQ's own index has the times of delayed jobs and nothing that tells
 * apart the jobs of one time, so a page of a million tasks that are due at nine would read and sort all of them. The index
 * contains delayed jobs alone: other jobs pay nothing for it. Without it the pages are the same, and slower.
 */
export class DelayedIndex {
  /** Whether statements may count on the index. */
  isThere = false;
  private readonly schema: string;

  constructor(
    private readonly client: PgQueryable,
    schema: string,
  ) {
    this.schema = bullmq.quoteSchemaName(schema);
  }

  /**
   * Finds out whether the index is there. Makes it when the table is small; for a large table the command `migrate` does that.
   *
   * @param mayCreate whether this process may change the schema
   */
  async prepare(mayCreate: boolean): Promise<void> {
    // It is asked for once: statements that count on an index which is gone are slower, and still right.
    if (this.isThere) return;
    this.isThere = await this.isValid();
    if (this.isThere || !mayCreate) return;
    const { state, size } = await this.find();
    if (state !== 'missing' || Number(size) > SMALL_TABLE) return;
    try {
      await this.client.query(createIndex(this.schema));
      this.isThere = true;
    } catch (error) {
      // The role does not own the table, writers kept the lock for too long, or another process was faster.
      if (!CANNOT_NOW.test((error as { code?: string }).code ?? '')) throw error;
    }
  }

  /**
   * Builds the index while other sessions read and write the table. It waits until the transactions that are open now have ended.
   *
   * @param client one session without a limit for statements
   * @returns whether there was something to build
   */
  async build(client: Pick<PgPoolClient, 'query'>): Promise<boolean> {
    const { state } = await this.find();
    if (state === 'valid' || state === 'building') return false;
    // An index whose builder was interrupted costs writers time and helps no reader.
    if (state === 'broken') await client.query(`DROP INDEX CONCURRENTLY IF EXISTS ${this.schema}.${NAME}`);
    await client.query(`CREATE INDEX CONCURRENTLY IF NOT EXISTS ${NAME} ON ${this.schema}.job ${COLUMNS}`);
    return true;
  }

  async state(): Promise<IndexState> {
    return (await this.find()).state;
  }

  /** Asks less than {@link find}, which a process that starts seldom needs. */
  private async isValid(): Promise<boolean> {
    const { rows } = await this.client.query<{ valid: boolean }>(IS_VALID, [`${this.schema}.${NAME}`]);
    return rows[0]?.valid === true;
  }

  private async find(): Promise<Found> {
    const { rows } = await this.client.query<Found>(FIND_INDEX, [`${this.schema}.${NAME}`, `${this.schema}.job`]);
    return rows[0] ?? { state: 'missing', size: '0' };
  }
}

/** Ordered by bytes, whatever the collation of the database is. See `indexedStatement` for that of the queue. */
const COLUMNS = `(queue COLLATE "C", process_at_ms, id COLLATE "C") WHERE state = 'delayed'`;

/** The statement that makes the index. It locks the table for writers. @param schema the quoted name of the schema */
function createIndex(schema: string): string {
  return `SET LOCAL lock_timeout = ${LOCK_LIMIT}; CREATE INDEX IF NOT EXISTS ${NAME} ON ${schema}.job ${COLUMNS}`;
}

const IS_VALID = 'SELECT indisvalid AS valid FROM pg_catalog.pg_index WHERE indexrelid = pg_catalog.to_regclass($1)';

const FIND_INDEX = `
SELECT CASE WHEN found.indexrelid IS NULL THEN 'missing' WHEN found.indisvalid THEN 'valid'
    WHEN EXISTS (SELECT FROM pg_catalog.pg_stat_progress_create_index AS building
      WHERE building.index_relid = found.indexrelid) THEN 'building' ELSE 'broken' END AS state,
  pg_catalog.pg_relation_size(pg_catalog.to_regclass($2))::text AS size
FROM (SELECT) AS always LEFT JOIN pg_catalog.pg_index AS found ON found.indexrelid = pg_catalog.to_regclass($1)`;

/** SQLSTATE: a privilege is missing; the lock was not free; the index exists, or is just being made. */
const CANNOT_NOW = /^(42501|55P03|42P07|23505)$/;
