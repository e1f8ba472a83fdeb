import type { PgPool } from 'bullmq';
import { EngineUnavailableError } from '../../../../errors.js';
import type { TransactionAdapter } from '../../../ports/transaction-port.js';
import type { MessageBus } from '../../message-bus.js';
import type {
  CommitNotice,
  JobOfTransaction,
  JobTransactions,
  StoredInTransaction,
  StoreOptions,
} from '../../job-transactions.js';
import type { FoundJob } from '../../stored-jobs.js';
import { toFoundJob, type JobRow } from '../job-rows.js';
import type { SchemaFunctions } from '../schema-functions.js';
import { CommitNotices } from './commit-notices.js';
import { COMPLETE_FUNCTION } from './completion-statements.js';
import { ENQUEUE_FUNCTION } from './enqueue-function.js';
import { PostgresCompletions } from './postgres-completions.js';
import { TransactionFunctions } from './transaction-functions.js';

/** What the function in the database answers. */
type Answer =
  | { readonly error: 'busy' }
  | { readonly error: 'conflict'; readonly key: string; readonly holder: string }
  | {
      readonly error?: undefined;
      readonly ids: Readonly<Record<string, string>>;
      readonly earlier: readonly JobRow[];
      readonly xid: string;
    };

/** The functions that the connections of the application call. */
export const TRANSACTION_FUNCTIONS = [ENQUEUE_FUNCTION, COMPLETE_FUNCTION];

/** Stores jobs in transactions of the application, which are transactions of the database in which the tasks are. */
export class PostgresTransactions implements JobTransactions {
  readonly completions: PostgresCompletions;
  private readonly functions: TransactionFunctions;

  private readonly notices: CommitNotices;

  /** @param functions among them {@link TRANSACTION_FUNCTIONS} */
  constructor(pool: PgPool, functions: SchemaFunctions, schema: string, address: string, bus: MessageBus) {
    this.notices = new CommitNotices(bus);
    this.functions = new TransactionFunctions(functions, schema, address);
    this.completions = new PostgresCompletions(pool, this.functions);
  }

  /** Removes what workers left that died at the wrong moment. */
  async sweep(): Promise<void> {
    if (this.hasCompletions) await this.completions.removeOld();
  }

  /** Whether there may be jobs whose successes are committed and whose ends are not stored. */
  get hasCompletions(): boolean {
    return this.functions.has(COMPLETE_FUNCTION);
  }

  async store(
    transaction: TransactionAdapter,
    jobs: readonly JobOfTransaction[],
    { now, timeout, secret, retention, notice }: StoreOptions,
  ): Promise<StoredInTransaction> {
    const request = { secret, now, timeout, ...retention, jobs };
    const answer = (await this.functions.call(transaction, ENQUEUE_FUNCTION, '.in(tx)', request, notice)) as Answer;
    if (answer.error === 'busy') {
      throw new EngineUnavailableError(
        `Another transaction has stored a task with the same key, and has not ended within ${timeout} ms. Nothing was stored.`,
      );
    }
    if (answer.error === 'conflict') return { conflict: answer };
    const earlier = new Map<string, FoundJob>(answer.earlier.map((row) => [row.id, toFoundJob(row)]));
    return { ids: jobs.map(({ id }) => answer.ids[id] ?? id), earlier, transaction: answer.xid };
  }

  createNotice(): Promise<CommitNotice | undefined> {
    return this.notices.create();
  }

  isOpen(transaction: string): Promise<boolean> {
    return this.completions.isOpen([transaction]);
  }
}
