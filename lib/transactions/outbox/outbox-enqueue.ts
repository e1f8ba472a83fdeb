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
}

/**
 * Stores calls in the table `task_outbox`, in the caller's transaction. A relay moves them to the engine after the commit.
 * Whether an earlier task stands for a call is decided then, so the receipts do not tell it.
 */
export class OutboxEnqueue implements TransactionEnqueue {
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

  isOpen(): Promise<boolean> {
    return Promise.resolve(this.deps.transaction.isOpen?.() ?? false);
  }

  private async store(rows: readonly NewRow[]): Promise<void> {
    const { transaction, table, store, onStored } = this.deps;
    const { text, params } = insertRows(transaction.dialect, table, store, rows);
    await transaction.query(text, params);
    onStored();
  }
}
