import { PackageLogger } from '../../package-logger.js';
import { bareMessage } from '../../engine/bare-error.js';
import { ConfigurationError } from '../../errors.js';
import type { OutboxDatabase, OutboxRow } from './outbox-database.js';
import type { MovedBatch } from './outbox-mover.js';
import type { OutboxPart } from './outbox-part.js';
import { RelayLane } from './relay-lane.js';

/** Milliseconds between two checks for rows that no relay of this version takes. */
const INSPECT_EVERY = 60_000;

export interface OutboxRelayDeps {
  readonly open: (parts: number) => Promise<OutboxDatabase>;
  readonly store: string;
  /** See {@link partsOf}. */
  readonly parts: readonly OutboxPart[];
  readonly move: (rows: readonly OutboxRow[]) => Promise<MovedBatch>;
}

/**
 * Moves the calls of committed transactions from the outbox to the engine, in every process that knows the database.
 *
 * One relay at a time works on a part of the table, and it takes the rows in the order of their inserts. A transaction becomes visible as
 * a whole, so its rows are moved in its order, however long it was open and whatever other transactions have committed before.
 * The rows of two transactions may be moved in the order of their inserts or of their commits. The rows of two shards have no order.
 */
export class OutboxRelay {
  private readonly logger = new PackageLogger();
  private opened: OutboxDatabase | undefined;
  private lanes: readonly RelayLane[] = [];
  private isStopped = false;
  /** What went wrong with the table, by part, and is not mended yet. `check` stands for the start. */
  private readonly problems = new Map<OutboxPart | 'check', string>();
  private inspectedAt = 0;
  private newerRows = 0;

  constructor(private readonly deps: OutboxRelayDeps) {}

  /**
   * Opens the database. Resolves also when it cannot be reached: the relay then logs one line and goes on trying.
   *
   * @throws ConfigurationError when another attempt cannot help: the table is missing, or a permission
   */
  async start(): Promise<void> {
    const { open, store, parts, move } = this.deps;
    const database = await open(parts.length);
    this.opened = database;
    try {
      await database.check();
    } catch (error) {
      if (error instanceof ConfigurationError) {
        await this.stop();
        throw error;
      }
      this.warn('check', error);
    }
    this.lanes = parts.map(
      (part) =>
        new RelayLane({
          ...{ database, part, move },
          onEmpty: () => this.inspect(database),
          onProblem: (error) => (error === undefined ? this.mended(database, part) : this.warn(part, error)),
          onRejected: (seq, reason) => this.logRejected(database, seq, reason),
        }),
    );
    database.listen(store, () => {
      for (const lane of this.lanes) lane.wake();
    });
  }

  /** The database of the outbox; `undefined` before the start. */
  get database(): OutboxDatabase | undefined {
    return this.isStopped ? undefined : this.opened;
  }

  /** This process has stored rows, whose transaction commits soon. Not every database tells of the commit. */
  expectRows(): void {
    if (this.opened?.dialect === 'postgres') return;
    for (const lane of this.lanes) lane.expectRows();
  }

  /** Ends the relay after the batches under way. Safe to call twice. */
  async stop(): Promise<void> {
    this.isStopped = true;
    await Promise.all(this.lanes.map((lane) => lane.stop()));
    const { opened } = this;
    this.opened = undefined;
    await opened?.close().catch(() => undefined);
  }

  private logRejected({ address }: OutboxDatabase, seq: string, reason: string): void {
    this.logger.error(
      `Row ${seq} of the outbox in ${address} can never be moved: ${reason}. It stays in the table with failed_at and error. ` +
        'Once its cause is gone, set failed_at to NULL, or delete the row.',
    );
  }

  private async inspect(database: OutboxDatabase): Promise<void> {
    const now = performance.now();
    if (this.inspectedAt !== 0 && now - this.inspectedAt < INSPECT_EVERY) return;
    this.inspectedAt = now;
    const { newer } = await database.figures(this.deps.store);
    if (newer > 0 && this.newerRows === 0) {
      this.logger.warn(
        `The outbox in ${database.address} contains calls of a newer version of nestjs-task-queue (rows: ${newer}). They are left to ` +
          'the processes of that version. Update this process.',
      );
    }
    this.newerRows = newer;
  }

  /** Logs one line for a problem of the table, however many parts meet it. */
  private warn(part: OutboxPart | 'check', error: unknown): void {
    if (this.isStopped || this.problems.has(part)) return;
    const isKnown = this.problems.size > 0;
    const message = bareMessage(error);
    this.problems.set(part, message);
    if (isKnown) return;
    const where = this.opened?.address ?? 'the database';
    this.logger.warn(
      error instanceof ConfigurationError
        ? message
        : `The outbox in ${where} cannot be moved for now: ${message}. Its calls wait there, and this process goes on trying.`,
    );
  }

  private mended({ address }: OutboxDatabase, part: OutboxPart): void {
    if (this.problems.size === 0) return;
    this.problems.delete('check');
    this.problems.delete(part);
    if (this.problems.size === 0) this.logger.log(`The outbox in ${address} is moved again.`);
  }
}
