import type { PgPool } from 'bullmq';
import type { Json } from '../../../json.js';
import type { TransactionAdapter } from '../../../ports/transaction-port.js';
import type { Completed, CompletionRequest, JobCompletions } from '../../job-transactions.js';
import type { JobRef } from '../../stored-jobs.js';
import type { JobRow } from '../job-rows.js';
import {
  COMPLETE_FUNCTION,
  DELETE_COMPLETION,
  DELETE_OLD_COMPLETIONS,
  SELECT_COMPLETION,
} from './completion-statements.js';
import type { TransactionFunctions } from './transaction-functions.js';

/** Stores the successes of tasks in their own transactions. */
export class PostgresCompletions implements JobCompletions {
  constructor(
    private readonly pool: PgPool,
    private readonly functions: TransactionFunctions,
  ) {}

  async complete(transaction: TransactionAdapter, request: CompletionRequest): Promise<Completed> {
    const answer = await this.functions.call(transaction, COMPLETE_FUNCTION, 'completeIn()', request);
    const { error, xid } = answer as { error?: 'lost' | 'done' | 'busy'; xid?: string };
    return error ? { refused: error } : { transaction: xid as string };
  }

  async isOpen(transactions: readonly string[]): Promise<boolean> {
    const { rows } = await this.pool.query<{ open: boolean | null }>(
      `SELECT bool_or(pg_xact_status(name::xid8) = 'in progress') AS open FROM unnest($1::text[]) AS names (name)`,
      [transactions],
    );
    return rows[0]?.open === true;
  }

  async find({ queue, id }: JobRef): Promise<{ readonly result: Json } | undefined> {
    if (!this.functions.has(COMPLETE_FUNCTION)) return undefined;
    const { rows } = await this.pool.query<{ result: Json }>(SELECT_COMPLETION, [queue, id]);
    return rows[0];
  }

  async forget({ queue, id }: JobRef): Promise<void> {
    await this.pool.query(DELETE_COMPLETION, [queue, id]);
  }

  async removeOld(): Promise<void> {
    await this.pool.query(DELETE_OLD_COMPLETIONS);
  }
}

/** A job with the success that it has stored in its own transaction. */
export interface CompletedJobRow extends JobRow {
  readonly completed_at_ms?: string | null;
  readonly completion_result?: unknown;
}

/** The row of a job whose success is committed, as it is once the end is stored too. */
export function withCompletion(row: CompletedJobRow): JobRow {
  const { completed_at_ms, completion_result, ...job } = row;
  if (completed_at_ms === undefined || completed_at_ms === null || job.state === 'completed') return job;
  return { ...job, state: 'completed', return_value: completion_result, finished_at_ms: completed_at_ms };
}
