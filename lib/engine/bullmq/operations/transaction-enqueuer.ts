import { ConfigurationError, IdempotencyConflictError } from '../../../errors.js';
import type { TransactionAdapter, TransactionEnqueue } from '../../ports/transaction-port.js';
import type { Retention } from '../../retention.js';
import type { Receipt, TaskCall, TaskTree } from '../../task.js';
import type { Availability } from '../availability.js';
import type { TaskChanges } from '../../task-changes.js';
import type { Driver } from '../driver.js';
import type { JobOfTransaction, JobTransactions } from '../job-transactions.js';
import { entryOf } from '../jobs/job-of-transaction.js';
import type { JobLookup } from './job-lookup.js';

export interface TransactionEnqueuerDeps {
  readonly driver: Driver;
  readonly transactions: JobTransactions;
  readonly availability: Availability;
  readonly changes: TaskChanges;
  readonly lookup: JobLookup;
  readonly retention: Retention;
  /** Milliseconds that a call may take. */
  readonly timeout: number;
  /** Belongs to this store alone. */
  readonly secret: () => Promise<string>;
  readonly forgetSecret: () => void;
  readonly isStored: (call: TaskCall) => Promise<boolean>;
  readonly hasPriorities: (queue: string) => boolean;
}

/** Stores calls and workflows in one transaction of the application. */
export class TransactionEnqueuer implements TransactionEnqueue {
  /** The transaction, by the name that the database gives it; `undefined` before the first call. */
  private name: string | undefined;

  constructor(
    private readonly deps: TransactionEnqueuerDeps,
    private readonly transaction: TransactionAdapter,
  ) {}

  async enqueue(calls: readonly TaskCall[]): Promise<Receipt[]> {
    if (calls.length === 0) return [];
    const now = await this.prepare();
    const jobs = calls.map((call) => entryOf({ ...call, members: [] }, now, this.deps.hasPriorities)).flat();
    return this.store(calls, jobs, now);
  }

  async enqueueTree(tree: TaskTree): Promise<Receipt> {
    const now = await this.prepare();
    const [receipt] = await this.store([tree], entryOf(tree, now, this.deps.hasPriorities), now);
    return tree.members.length > 0 ? { ...(receipt as Receipt), state: 'waiting' } : (receipt as Receipt);
  }

  isStored(call: TaskCall): Promise<boolean> {
    return this.deps.isStored(call);
  }

  untilTimeKnown(): Promise<void> | undefined {
    return this.deps.driver.clock.isUnknown ? this.contact() : undefined;
  }

  async isOpen(): Promise<boolean> {
    const { isOpen } = this.transaction;
    if (isOpen && !isOpen.call(this.transaction)) return false;
    const { name } = this;
    if (name === undefined) return false;
    const { availability, transactions } = this.deps;
    return availability.withRetries('find', () => transactions.isOpen(name)).catch(() => false);
  }

  /** The time of the store. */
  private async prepare(): Promise<number> {
    await this.contact();
    return this.deps.driver.clock.now();
  }

  /** The first call of a process connects to the store, on a connection of its own. */
  private contact(): Promise<void> {
    return this.deps.availability.withRetries('enqueue', async () => undefined);
  }

  /** @param calls the calls that the receipts are for, each the first of its jobs */
  private async store(calls: readonly TaskCall[], jobs: readonly JobOfTransaction[], now: number): Promise<Receipt[]> {
    const { changes, driver, transactions, lookup, retention, timeout } = this.deps;
    const secret = await this.deps.secret();
    const notice = changes.wants('enqueued') ? await transactions.createNotice() : undefined;
    const stored = await transactions
      .store(this.transaction, jobs, { now, timeout, secret, retention, notice })
      .catch((error: unknown) => {
        notice?.cancel();
        // The store may have got another secret, because its data was lost. The next call reads it again.
        if (error instanceof ConfigurationError) this.deps.forgetSecret();
        throw error;
      });
    if ('conflict' in stored) {
      notice?.cancel();
      throw new IdempotencyConflictError(stored.conflict.key, stored.conflict.holder);
    }
    this.name = stored.transaction;
    const holders = new Map(jobs.map(({ id }, place) => [id, stored.ids[place] ?? id]));
    notice?.onCommit(() => {
      const at = driver.clock.now();
      for (const call of calls) if (holders.get(call.id) === call.id) changes.emitCommitted(call, at);
    });
    return calls.map(({ id, queue, options }): Receipt => {
      const state = (options.startAt ?? 0) > now ? 'scheduled' : 'queued';
      const holder = holders.get(id) ?? id;
      if (holder === id) return { id, deduplicated: false, state };
      const earlier = stored.earlier.get(holder);
      const record = earlier && lookup.recordOf(holder, earlier.json, queue, earlier.state);
      return { id: holder, deduplicated: true, state: record?.state ?? state };
    });
  }
}
