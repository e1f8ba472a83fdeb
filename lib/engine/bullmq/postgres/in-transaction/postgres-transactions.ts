import { createHash } from 'node:crypto';
import type { PgPool, PgQueryable } from 'bullmq';
import { ConfigurationError, EngineUnavailableError } from '../../../../errors.js';
import type { TransactionAdapter } from '../../../ports/transaction-port.js';
import type { Retention } from '../../../retention.js';
import { bullmq } from '../../bullmq-package.cjs';
import type { FoundJob, JobOfTransaction, JobTransactions, StoredInTransaction } from '../../driver.js';
import { toFoundJob, type JobRow } from '../job-rows.js';
import { createEnqueueFunction, ENQUEUE_FUNCTION } from './enqueue-function.js';

/** What the function in the database answers. */
type Answer =
  | { readonly error: 'store' }
  | { readonly error: 'busy' }
  | { readonly error: 'conflict'; readonly key: string; readonly holder: string }
  | {
      readonly error?: undefined;
      readonly ids: Readonly<Record<string, string>>;
      readonly earlier: readonly JobRow[];
      readonly xid: string;
    };

/** Stores jobs in transactions of the application, which are transactions of the database in which the tasks are. */
export class PostgresTransactions implements JobTransactions {
  private readonly schema: string;
  /** Why the function could not be created. */
  private refusal: Error | undefined;
  private mayCreate = true;

  constructor(
    private readonly pool: PgPool,
    private readonly name: string,
    private readonly address: string,
  ) {
    this.schema = bullmq.quoteSchemaName(name);
  }

  /**
   * Creates what the statements need, once the tables exist. A role that may not do that can still do all else.
   *
   * @param mayCreate whether this process may change the schema
   */
  async prepare(mayCreate = this.mayCreate): Promise<void> {
    this.mayCreate = mayCreate;
    if (await this.isPrepared(this.pool)) {
      this.refusal = undefined;
      return;
    }
    if (!mayCreate) {
      this.refusal = new Error("migrations: 'check'");
      return;
    }
    try {
      await this.pool.query(createEnqueueFunction(this.schema));
      this.refusal = undefined;
    } catch (error) {
      const { code = '' } = error as { code?: string };
      // Another process was faster.
      if (IS_THERE.test(code) && (await this.isPrepared(this.pool))) return;
      if (code !== NOT_PERMITTED) throw error;
      this.refusal = error as Error;
    }
  }

  async store(
    transaction: TransactionAdapter,
    jobs: readonly JobOfTransaction[],
    { now, timeout, secret, retention }: { now: number; timeout: number; secret: string; retention: Retention },
  ): Promise<StoredInTransaction> {
    // Another role may have created the function meanwhile.
    if (this.refusal) await this.prepare();
    if (this.refusal) throw this.notPrepared(this.refusal);
    const store = createHash('sha256').update(secret).digest('hex');
    const request = JSON.stringify({ store, now, timeout, ...retention, jobs });
    const answer = await this.ask(transaction, request);
    if (answer.error === 'store') throw this.otherStore();
    if (answer.error === 'busy') {
      throw new EngineUnavailableError(
        `Another transaction has stored a task with the same key, and has not ended within ${timeout} ms. Nothing was stored.`,
      );
    }
    if (answer.error === 'conflict') return { conflict: answer };
    const earlier = new Map<string, FoundJob>(answer.earlier.map((row) => [row.id, toFoundJob(row)]));
    return { ids: jobs.map(({ id }) => answer.ids[id] ?? id), earlier, transaction: answer.xid };
  }

  async isOpen(transaction: string): Promise<boolean> {
    const { rows } = await this.pool.query<{ status: string | null }>('SELECT pg_xact_status($1::xid8) AS status', [
      transaction,
    ]);
    return rows[0]?.status === 'in progress';
  }

  private async ask(transaction: TransactionAdapter, request: string): Promise<Answer> {
    try {
      const rows = await transaction.query(`SELECT ${this.schema}.${ENQUEUE_FUNCTION}($1::text) AS answer`, [request]);
      return JSON.parse(rows[0]?.['answer'] as string) as Answer;
    } catch (error) {
      // The libraries wrap the error of the server.
      const code = codeOf(error);
      if (IS_MISSING.test(code)) throw this.otherStore(error);
      if (code === NOT_PERMITTED) throw this.notPermitted(error as Error);
      throw error;
    }
  }

  private async isPrepared(client: PgQueryable): Promise<boolean> {
    const { rows } = await client.query<{ found: boolean | null }>(`SELECT to_regprocedure($1) IS NOT NULL AS found`, [
      `${this.schema}.${ENQUEUE_FUNCTION}(text)`,
    ]);
    return rows[0]?.found === true;
  }

  private otherStore(cause?: unknown): ConfigurationError {
    return new ConfigurationError(
      `.in(tx): the database of the transaction is not the one of this application's tasks, the schema "${this.name}" of ${this.address}. ` +
        'Nothing was stored. Use a transaction of the same database, or set the option outbox.',
      cause === undefined ? undefined : { cause },
    );
  }

  private notPermitted(cause: Error): ConfigurationError {
    return new ConfigurationError(
      `.in(tx): the role of the transaction may not use the schema "${this.name}" (${cause.message}). Run this once as the owner of the ` +
        `schema: npx nestjs-task-queue migrate --url postgres://<owner>@<host>/<database> --prefix ${this.name} --grant <role>`,
      { cause },
    );
  }

  private notPrepared(cause: Error): ConfigurationError {
    return new ConfigurationError(
      `.in(tx): the schema "${this.name}" of ${this.address} lacks a function, and the role of this application may not create it ` +
        `(${cause.message}). Run this once as the owner of the schema: ` +
        `npx nestjs-task-queue migrate --url postgres://<owner>@<host>/<database> --prefix ${this.name} --grant <role>`,
    );
  }
}

/** The code of the server's error, which most libraries wrap in one of their own. */
function codeOf(error: unknown, depth = 0): string {
  if (typeof error !== 'object' || error === null || depth > DEEPEST_ERROR) return '';
  const { code, cause, original, driverError, meta } = error as Readonly<Record<string, unknown>>;
  if (typeof code === 'string' && SQLSTATE.test(code)) return code;
  // Prisma: `meta.code`, or `meta.driverAdapterError.cause.originalCode`.
  const { driverAdapterError, originalCode } = (meta ?? error) as Readonly<Record<string, unknown>>;
  if (typeof originalCode === 'string') return originalCode;
  for (const inner of [cause, original, driverError, meta, driverAdapterError]) {
    const found = codeOf(inner, depth + 1);
    if (found !== '') return found;
  }
  return '';
}

/** Not a code of Prisma: `P2010` says that a statement failed. */
const SQLSTATE = /^(?!P2)[0-9A-Z]{5}$/;
const DEEPEST_ERROR = 4;

/** SQLSTATE: the function exists, or is just being created. */
const IS_THERE = /^(42723|23505)$/;
/** SQLSTATE: the role lacks a privilege. */
const NOT_PERMITTED = '42501';
/** SQLSTATE: no such schema, function or table. */
const IS_MISSING = /^(3F000|42883|42P01)$/;
