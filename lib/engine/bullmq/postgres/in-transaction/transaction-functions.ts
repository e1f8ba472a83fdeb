import { createHash } from 'node:crypto';
import { ConfigurationError } from '../../../../errors.js';
import type { TransactionAdapter } from '../../../ports/transaction-port.js';
import type { SchemaFunction, SchemaFunctions } from '../schema-functions.js';
import { codeOf } from './server-error.js';

/** Calls functions of the schema on the connections of the application. */
export class TransactionFunctions {
  constructor(
    private readonly functions: SchemaFunctions,
    private readonly name: string,
    private readonly address: string,
  ) {}

  has(wanted: SchemaFunction): boolean {
    return this.functions.has(wanted);
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
    wanted: SchemaFunction,
    what: string,
    request: { readonly secret: string },
    notice?: { readonly channel: string; readonly token: string },
  ): Promise<unknown> {
    const { secret, ...rest } = request;
    await this.checkPrepared(wanted, what);
    const store = createHash('sha256').update(secret).digest('hex');
    const text = JSON.stringify({ store, ...rest });
    try {
      // As text, because some drivers cannot read a column of the type void.
      const notify = notice ? ', pg_notify($2::text, $3::text)::text AS notified' : '';
      const rows = await transaction.query(`SELECT ${this.functions.nameOf(wanted)}($1::text) AS answer${notify}`, [
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

  private async checkPrepared(wanted: SchemaFunction, what: string): Promise<void> {
    const { functions } = this;
    // Another role may have created it meanwhile.
    if (!functions.has(wanted)) await functions.prepare();
    if (functions.has(wanted)) return;
    throw new ConfigurationError(
      `${what}: the schema "${this.name}" of ${this.address} lacks a function or a table, and the role of this application may not create ` +
        `or use it${functions.refusal ? ` (${functions.refusal.message})` : ''}. Run this once as the owner of the schema: ${this.migrate}`,
    );
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

/** SQLSTATE: the role lacks a privilege. */
const NOT_PERMITTED = '42501';
/** SQLSTATE: no such schema, function or table. */
const IS_MISSING = /^(3F000|42883|42P01)$/;
