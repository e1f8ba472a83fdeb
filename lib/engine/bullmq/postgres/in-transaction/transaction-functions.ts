import { createHash } from 'node:crypto';
import type { PgPool } from 'bullmq';
import { ConfigurationError } from '../../../../errors.js';
import type { TransactionAdapter } from '../../../ports/transaction-port.js';
import { bullmq } from '../../bullmq-package.cjs';
import { COMPLETE_FUNCTION, COMPLETION_TABLE, createCompletion } from './completion-statements.js';
import { createEnqueueFunction, ENQUEUE_FUNCTION } from './enqueue-function.js';
import { codeOf } from './server-error.js';

/** What exists in the schema. */
interface Found {
  readonly enqueue: boolean;
  readonly complete: boolean;
  /** Whether the role may use the table of completions. */
  readonly permitted: boolean;
}

/** The functions that this package keeps in its schema, for the connections of the application. */
export class TransactionFunctions {
  private readonly schema: string;
  private found: Found = { enqueue: false, complete: false, permitted: false };
  /** Why something could not be created. */
  private refusal: Error | undefined;
  private mayCreate = true;

  constructor(
    private readonly pool: PgPool,
    private readonly name: string,
    private readonly address: string,
  ) {
    this.schema = bullmq.quoteSchemaName(name);
  }

  /** Whether successes can be stored in transactions, and may be found. */
  get hasCompletions(): boolean {
    return this.found.complete && this.found.permitted;
  }

  /**
   * Creates what is missing, once the tables exist. A role that may not do that can still do all else.
   *
   * @param mayCreate whether this process may change the schema
   */
  async prepare(mayCreate = this.mayCreate): Promise<void> {
    this.mayCreate = mayCreate;
    this.refusal = undefined;
    this.found = await this.look();
    if (this.found.enqueue && this.found.complete) return;
    if (!mayCreate) {
      this.refusal = new Error("migrations: 'check'");
      return;
    }
    if (!this.found.enqueue) await this.create(createEnqueueFunction(this.schema));
    if (!this.found.complete) await this.create(createCompletion(this.schema));
    this.found = await this.look();
  }

  /**
   * Calls a function in one statement on the connection of the transaction.
   *
   * @param what names the call in errors
   * @param notice what the statement notifies, too
   * @throws ConfigurationError when the transaction is one of another store
   * @throws the error of the transaction's library
   */
  async call(
    transaction: TransactionAdapter,
    name: string,
    what: string,
    request: { readonly secret: string },
    notice?: { readonly channel: string; readonly token: string },
  ): Promise<unknown> {
    const { secret, ...rest } = request;
    await this.checkPrepared(name, what);
    const store = createHash('sha256').update(secret).digest('hex');
    const text = JSON.stringify({ store, ...rest });
    try {
      // As text, because some drivers cannot read a column of the type void.
      const notify = notice ? ', pg_notify($2::text, $3::text)::text AS notified' : '';
      const rows = await transaction.query(`SELECT ${this.schema}.${name}($1::text) AS answer${notify}`, [
        text,
        ...(notice ? [notice.channel, notice.token] : []),
      ]);
      const answer = JSON.parse(rows[0]?.['answer'] as string) as { readonly error?: string };
      if (answer.error === 'store') throw this.otherStore(what);
      return answer;
    } catch (error) {
      const code = codeOf(error);
      if (IS_MISSING.test(code)) throw this.otherStore(what, error);
      if (code === NOT_PERMITTED) throw this.notPermitted(what, error as Error);
      throw error;
    }
  }

  private async checkPrepared(name: string, what: string): Promise<void> {
    const isThere = () => (name === COMPLETE_FUNCTION ? this.hasCompletions : this.found.enqueue);
    // Another role may have created it meanwhile.
    if (!isThere()) await this.prepare();
    if (isThere()) return;
    throw new ConfigurationError(
      `${what}: the schema "${this.name}" of ${this.address} lacks a function or a table, and the role of this application may not create ` +
        `or use it${this.refusal ? ` (${this.refusal.message})` : ''}. Run this once as the owner of the schema: ${this.migrate}`,
    );
  }

  private async create(statements: string): Promise<void> {
    try {
      await this.pool.query(statements);
    } catch (error) {
      const { code = '' } = error as { code?: string };
      // Another process was faster, or the role may not.
      if (code === NOT_PERMITTED) this.refusal = error as Error;
      else if (!IS_THERE.test(code)) throw error;
    }
  }

  private async look(): Promise<Found> {
    const { rows } = await this.pool.query<Found>(
      `SELECT to_regprocedure($1) IS NOT NULL AS enqueue, to_regprocedure($2) IS NOT NULL AS complete,
        has_table_privilege(to_regclass($3), 'SELECT') IS TRUE AND has_table_privilege(to_regclass($3), 'INSERT') IS TRUE
          AND has_table_privilege(to_regclass($3), 'DELETE') IS TRUE AS permitted`,
      [
        `${this.schema}.${ENQUEUE_FUNCTION}(text)`,
        `${this.schema}.${COMPLETE_FUNCTION}(text)`,
        `${this.schema}.${COMPLETION_TABLE}`,
      ],
    );
    return rows[0] ?? { enqueue: false, complete: false, permitted: false };
  }

  private otherStore(what: string, cause?: unknown): ConfigurationError {
    return new ConfigurationError(
      `${what}: the database of the transaction is not the one of this application's tasks, the schema "${this.name}" of ${this.address}. ` +
        'Nothing was stored. Use a transaction of the same database' +
        (what === '.in(tx)' ? ', or set the option outbox.' : '.'),
      cause === undefined ? undefined : { cause },
    );
  }

  private notPermitted(what: string, cause: Error): ConfigurationError {
    return new ConfigurationError(
      `${what}: the role of the transaction may not use the schema "${this.name}" (${cause.message}). Run this once as the owner of the ` +
        `schema: ${this.migrate}`,
      { cause },
    );
  }

  private get migrate(): string {
    return `npx nestjs-task-queue migrate --url postgres://<owner>@<host>/<database> --prefix ${this.name} --grant <role>`;
  }
}

/** SQLSTATE: it exists, or is just being created. */
const IS_THERE = /^(42723|42P07|42710|23505)$/;
/** SQLSTATE: the role lacks a privilege. */
const NOT_PERMITTED = '42501';
/** SQLSTATE: no such schema, function or table. */
const IS_MISSING = /^(3F000|42883|42P01)$/;
