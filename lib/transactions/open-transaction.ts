import { AsyncLocalStorage } from 'node:async_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TransactionEnqueue } from '../engine/ports/transaction-port.js';
import type { UncommittedCall } from '../results/uncommitted-call.js';
import type { TransactionLike } from './transaction-adapter.js';

/** Milliseconds that an open transaction gets to commit, when a caller waits and commits at the same time. */
const COMMIT_WITHIN = 100;

/** The transaction in which the code that runs now has stored a call last. */
const LAST_USED = new AsyncLocalStorage<TransactionLike>();

/** A transaction of the application in which calls are stored. */
export class OpenTransaction implements UncommittedCall {
  /** The code that makes this object counts as inside of the transaction, for as long as that is open. */
  constructor(
    private readonly transaction: TransactionLike,
    private readonly store: TransactionEnqueue,
  ) {
    LAST_USED.enterWith(transaction);
  }

  async isInside(): Promise<boolean> {
    if (LAST_USED.getStore() !== this.transaction || !(await this.store.isOpen())) return false;
    await sleep(COMMIT_WITHIN);
    return this.store.isOpen();
  }
}
