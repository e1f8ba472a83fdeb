import type { TransactionAdapter } from '../ports/transaction-port.js';
import type { Json } from '../json.js';
import type { Retention } from '../retention.js';
import type { Uniqueness } from '../task.js';
import type { FoundJob, JobRef } from './stored-jobs.js';

/** A job that is stored in a transaction of the application. */
export interface JobOfTransaction extends JobRef {
  readonly name: string;
  /** JSON. */
  readonly data: string;
  readonly opts: object;
  /** BullMQ's number; 0 for none. */
  readonly priority: number;
  readonly delay: number;
  readonly attempts: number;
  /** How many jobs it waits for, which are stored with it. */
  readonly children: number;
  readonly parentQueue?: string;
  readonly parentId?: string;
  readonly parentKey?: string;
  /** The deduplication key, and how long its holder stands for later jobs. */
  readonly dedupId?: string;
  readonly while?: Uniqueness['while'];
  /** Milliseconds after which the key is free again. */
  readonly keyTtl?: number;
  /** The idempotency key: the holder must have the same arguments. */
  readonly exactKey?: string;
}

/** What came of storing jobs in a transaction: all of them, or none. */
export type StoredInTransaction =
  | { readonly conflict: { readonly key: string; readonly holder: string } }
  | {
      /** For each job the id that stands for it. */
      readonly ids: readonly string[];
      /** The jobs that were stored before and stand for others, by id. */
      readonly earlier: ReadonlyMap<string, FoundJob>;
      /** The name of the transaction, for {@link JobTransactions.isOpen}. */
      readonly transaction: string;
    };

/** Storing jobs in transactions of the application. */
export interface JobTransactions {
  /**
   * Stores jobs in one statement on the connection of the transaction.
   *
   * @param options.secret the secret of this store: in another store, nothing is stored
   * @throws ConfigurationError when the transaction is one of another store
   * @throws EngineUnavailableError when another transaction keeps a key for longer than `options.timeout`
   * @throws the error of the transaction's library
   */
  store(
    transaction: TransactionAdapter,
    jobs: readonly JobOfTransaction[],
    options: StoreOptions,
  ): Promise<StoredInTransaction>;
  /** Whether a transaction has not ended, on a connection of this driver. */
  isOpen(transaction: string): Promise<boolean>;
  /** A notice for {@link StoreOptions}; `undefined` when this process cannot listen. The first one opens a connection. */
  createNotice(): Promise<CommitNotice | undefined>;
  /** Storing the successes of tasks in their own transactions. */
  readonly completions: JobCompletions;
}

export interface StoreOptions {
  readonly now: number;
  readonly timeout: number;
  readonly secret: string;
  readonly retention: Retention;
  /** Sent by the transaction, and delivered to this process after its commit. */
  readonly notice?: CommitNotice | undefined;
}

/** Tells this process of the commit of one transaction, or of nothing when it is rolled back. */
export interface CommitNotice {
  /** The channel of the database on which the transaction notifies. */
  readonly channel: string;
  readonly token: string;
  /** Calls the listener once, after the commit. It may never be called: a message of the database may be lost. */
  onCommit(listener: () => void): void;
  /** The transaction has stored nothing. */
  cancel(): void;
}

/** The success of a job that runs. */
export interface CompletionRequest extends JobRef {
  /** The token of the lock under which the job runs. */
  readonly token: string;
  readonly result: Json;
  readonly secret: string;
  /** Milliseconds for which the statement waits for another attempt's transaction. */
  readonly timeout: number;
  /** Milliseconds after which the transaction is refused at its commit. */
  readonly abandonedAfter: number;
}

/**
 * The transaction in which a success was stored, or why it was not. `lost`: the attempt has ended; `done`: a success is stored already;
 * `busy`: another attempt has one in a transaction that is open.
 */
export type Completed = { readonly transaction: string } | { readonly refused: 'lost' | 'done' | 'busy' };

/** Storing the successes of tasks in their own transactions. */
export interface JobCompletions {
  /**
   * Stores the success of a job in a transaction, in one statement.
   *
   * @throws ConfigurationError when the transaction is one of another store
   * @throws the error of the transaction's library
   */
  complete(transaction: TransactionAdapter, request: CompletionRequest): Promise<Completed>;
  /** Whether one of the transactions has not ended. */
  isOpen(transactions: readonly string[]): Promise<boolean>;
  /** The success of a job that is committed. */
  find(job: JobRef): Promise<{ readonly result: Json } | undefined>;
  /** Removes the success of a job, once its end is stored. */
  forget(job: JobRef): Promise<void>;
}
