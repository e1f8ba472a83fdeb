import type { Engine } from '../../engine/engine.js';
import type { Topology } from '../../engine/shards/topology.js';
import type { TransactionAdapter } from '../../engine/ports/transaction-port.js';
import { OutboxEnqueue } from './outbox-enqueue.js';
import { OutboxFiguresReader, type OutboxFigures } from './outbox-figures.js';
import { OutboxMover } from './outbox-mover.js';
import type { ResolvedOutbox } from './outbox-options.js';
import type { OutboxRow } from './outbox-database.js';
import { partsOf } from './outbox-part.js';
import { OutboxRelay } from './outbox-relay.js';
import { WaitingCalls } from './waiting-calls.js';

export interface OutboxDeps {
  readonly options: ResolvedOutbox;
  readonly engine: Pick<Engine, 'enqueue' | 'enqueueTree' | 'find' | 'isStored' | 'now'>;
  /** The option `prefix`, by which applications share a table. */
  readonly store: string;
  /** How long the record of a succeeded task of this name is kept, unless its call says otherwise. */
  readonly resultTtlOf: (task: string) => number;
  readonly topology: Topology;
}

/** The outbox of one application: calls go in with the caller's transaction, and its relay moves them on. */
export class Outbox {
  private readonly relay: OutboxRelay | undefined;
  private readonly reader: OutboxFiguresReader;
  private readonly waiting: WaitingCalls;

  constructor(private readonly deps: OutboxDeps) {
    const { options, store, engine, resultTtlOf, topology } = deps;
    const mover = new OutboxMover({ engine, resultTtlOf, topology });
    const parts = partsOf(store, topology);
    const move = (rows: readonly OutboxRow[]) => mover.move(rows);
    this.relay = options.open && new OutboxRelay({ open: options.open, store, parts, move });
    const database = () => this.relay?.database;
    this.reader = new OutboxFiguresReader(database, store);
    this.waiting = new WaitingCalls({ database, store, now: () => engine.now() });
  }

  /**
   * Starts the relay, if this process knows the database.
   *
   * @throws ConfigurationError when the table cannot be used
   */
  async start(): Promise<void> {
    await this.relay?.start();
  }

  /** Ends the relay after the batch under way. Safe to call twice. */
  async stop(): Promise<void> {
    await this.relay?.stop();
  }

  /**
   * Stores calls in a transaction of the application.
   *
   * @returns `undefined` for a transaction of another kind of database: no relay would find the calls there
   */
  enqueueIn(transaction: TransactionAdapter): OutboxEnqueue | undefined {
    const { options, store, engine } = this.deps;
    if (options.dialect !== undefined && options.dialect !== transaction.dialect) return undefined;
    return new OutboxEnqueue({
      transaction,
      table: options.table,
      store,
      now: () => engine.now(),
      onStored: () => this.relay?.expectRows(),
      isOpen: async (number) => (await this.relay?.database?.isOpen(number)) ?? false,
    });
  }

  /** The calls that no relay has moved yet; `undefined` in a process that moves nothing, and so cannot read them. */
  get waitingCalls(): Pick<WaitingCalls, 'find'> | undefined {
    return this.relay && this.waiting;
  }

  /**
   * Reads how much waits. The figures are up to two seconds old.
   *
   * @returns `undefined` in a process that moves nothing
   * @throws the error of the driver when the database cannot be reached
   */
  figures(): Promise<OutboxFigures | undefined> {
    return this.reader.read();
  }
}
