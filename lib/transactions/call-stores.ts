import type { ClockPort } from '../engine/ports/clock-port.js';
import type { EnqueuePort } from '../engine/ports/enqueue-port.js';
import type { TransactionAdapter, TransactionEnqueue, TransactionPort } from '../engine/ports/transaction-port.js';
import { ConfigurationError } from '../errors.js';
import { OpenTransaction } from './open-transaction.js';
import { adapterOf, type TransactionLike } from './transaction-adapter.js';

const NAMES: Readonly<Record<TransactionAdapter['dialect'], string>> = {
  postgres: 'PostgreSQL',
  mysql: 'MySQL',
  sqlite: 'SQLite',
};

/** Where the calls of one producer or signature are stored. */
export interface CallStore {
  readonly port: EnqueuePort & ClockPort;
  /** The transaction in which the calls are stored; `undefined` when they are stored at once. */
  readonly transaction?: OpenTransaction;
}

/** Chooses where a call is stored, at the time of the call. It must run before the first `await` of the call. */
export type CallPlace = (stores: CallStores) => CallStore;

export interface CallStoresDeps {
  /** Stores at once. */
  readonly direct: EnqueuePort & ClockPort;
  /** Stores through the port of a transaction, in the same way: under the same limits, and observed. */
  readonly through: (store: EnqueuePort) => EnqueuePort & ClockPort;
  readonly engine: TransactionPort;
  /**
   * Stores in the outbox of the application, which says by it that its transactions are in another database than the tasks. `undefined`
   * for a transaction that cannot be in the database of the outbox.
   */
  readonly outbox?: ((transaction: TransactionAdapter) => TransactionEnqueue | undefined) | undefined;
  /** The transaction that is open where the call is made, for calls that name none. */
  readonly current: () => TransactionLike | undefined;
  /** Default: {@link adapterOf}. */
  readonly adapt?: (transaction: TransactionLike) => TransactionAdapter;
}

/** Chooses where the calls of the application are stored: at once, or in a transaction of the application. */
export class CallStores {
  private readonly direct: CallStore;

  constructor(private readonly deps: CallStoresDeps) {
    this.direct = { port: deps.direct };
  }

  /** For calls that name no transaction: the one that is open now, if the application says so. */
  ambient(): CallStore {
    const transaction = this.deps.current();
    return transaction === undefined ? this.direct : this.in(transaction);
  }

  /** Stores at once, also while a transaction is open. */
  outside(): CallStore {
    return this.direct;
  }

  /** @throws ConfigurationError when `transaction` is none, or when this engine cannot store calls in it */
  in(transaction: TransactionLike): CallStore {
    const { through, engine, outbox, adapt = adapterOf } = this.deps;
    const adapter = adapt(transaction);
    const store = outbox?.(adapter) ?? engine.enqueueIn(adapter);
    if (store) return { port: through(store), transaction: new OpenTransaction(transaction, store) };
    if (outbox) {
      throw new ConfigurationError(
        `.in() got a transaction of ${NAMES[adapter.dialect]}, but the option outbox names a database of another kind, and the tasks are ` +
          'not in the database of the transaction either. Pass a transaction of the database that outbox.connection names.',
      );
    }
    throw new ConfigurationError(
      'The tasks are not stored in a database that this process shares with its transactions, so .in(tx) needs an outbox: ' +
        'a table in the database of the transaction. Set the option outbox: { connection } of TaskQueueModule.forRoot().',
    );
  }
}
