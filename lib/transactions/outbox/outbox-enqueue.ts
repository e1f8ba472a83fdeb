import type { TransactionAdapter, TransactionEnqueue } from '../../engine/ports/transaction-port.js';
import type { Receipt, TaskCall, TaskTree } from '../../engine/task.js';
import { rowOfTree, rowsOfCalls, type NewRow } from './outbox-format.js';
import { insertRows } from './outbox-table.js';

export interface OutboxEnqueueDeps {
  readonly transaction: TransactionAdapter;
  readonly table: string;
  /** The option `prefix` of the application: only relays with the same prefix move the calls. */
  readonly store: string;
  readonly now: () => number;
  /** Called after each insert, which is not committed yet. */
  readonly onStored: () => void;
  /** Whether the transaction of this number goes on, as far as this process can ask the database. */
  readonly isOpen: (transaction: string) => Promise<boolean>;
}

/**
 * Stores calls in the table `task_outbox`, in the caller's transaction. A relay moves them to the engine after the commit.
 * Whether an earlier task stands for a call is decided then, so the receipts do not tell it.
 */
export class OutboxEnqueue implements TransactionEnqueue {
  /** The number of the transaction in PostgreSQL. */
  private number: string | undefined;

  constructor(private readonly deps: OutboxEnqueueDeps) {}

  async enqueue(calls: readonly TaskCall[]): Promise<Receipt[]> {
    if (calls.length === 0) return [];
    await this.store(rowsOfCalls(calls));
    const now = this.deps.now();
    return calls.map(({ id, options }): Receipt => {
      return { id, deduplicated: undefined, state: (options.startAt ?? 0) > now ? 'scheduled' : 'queued' };
    });
  }

  async enqueueTree(tree: TaskTree): Promise<Receipt> {
    if (tree.members.length === 0) return (await this.enqueue([tree]))[0] as Receipt;
    await this.store([rowOfTree(tree)]);
    return { id: tree.id, deduplicated: undefined, state: 'waiting' };
  }

  /** The engine knows nothing of a transaction that is open. */
  isStored(): Promise<boolean> {
    return Promise.resolve(false);
  }

  async isOpen(): Promise<boolean> {
    const { transaction, isOpen } = this.deps;
    const isKnown = transaction.isOpen?.();
    // The connection may be in another transaction by now. PostgreSQL knows each by its number.
    if (isKnown === false || this.number === undefined) return isKnown ?? false;
    return isOpen(this.number).catch(() => false);
  }

  private async store(rows: readonly NewRow[]): Promise<void> {
    const { transaction, table, store, onStored } = this.deps;
    const { text, params } = insertRows(transaction.dialect, table, store, rows);
    const [row] = await transaction.query(text, params);
    if (typeof row?.['transaction'] === 'string') this.number = row['transaction'];
    onStored();
  }
}
