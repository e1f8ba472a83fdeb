import { ConfigurationError, EngineUnavailableError } from '../../errors.js';
import type { MovedRows, OutboxDatabase, OutboxRow, Taken } from './outbox-database.js';
import type { MovedBatch } from './outbox-mover.js';
import { PackageLogger } from '../../package-logger.js';

/** Rows of one batch. */
const BATCH = 500;
/** Milliseconds between two looks at a table that is empty, unless the database tells of a commit. */
const POLL = 1_000;
/** The pause after rows were moved; it doubles while none follow. Databases that tell of no commit are read soon in this way. */
const SOON = 10;
/** Milliseconds for which a relay leaves the table to the relay that is at work. */
const WHILE_BUSY = 200;
/** The pause while the table or the engine cannot be reached; it doubles up to the longest. */
const FAILED = 500;
const LONGEST_PAUSE = 5_000;
/** Milliseconds between two checks for rows that no relay of this version takes. */
const INSPECT_EVERY = 60_000;

export interface OutboxRelayDeps {
  readonly open: () => Promise<OutboxDatabase>;
  readonly store: string;
  readonly move: (rows: readonly OutboxRow[]) => Promise<MovedBatch>;
}

/**
 * Moves the calls of committed transactions from the outbox to the engine, in every process that knows the database.
 *
 * One relay at a time works on the table, and it takes the rows in the order of their inserts. A transaction becomes visible as
 * a whole, so its rows are moved in its order, however long it was open and whatever other transactions have committed before.
 * The rows of two transactions may be moved in the order of their inserts or of their commits.
 */
export class OutboxRelay {
  private readonly logger = new PackageLogger();
  private opened: OutboxDatabase | undefined;
  private running: Promise<void> | undefined;
  private isStopped = false;
  private isWoken = false;
  private endPause: (() => void) | undefined;
  /** What was logged about the table and not found mended yet. */
  private problem: string | undefined;
  private inspectedAt = 0;
  private newerRows = 0;
  /** Milliseconds to the next look at the table. */
  private soon = SOON;

  constructor(private readonly deps: OutboxRelayDeps) {}

  /**
   * Opens the database. Resolves also when it cannot be reached: the relay then logs one line and goes on trying.
   *
   * @throws ConfigurationError when another attempt cannot help: the table is missing, or a permission
   */
  async start(): Promise<void> {
    const database = await this.deps.open();
    this.opened = database;
    try {
      await database.check();
    } catch (error) {
      if (error instanceof ConfigurationError) {
        await this.stop();
        throw error;
      }
      this.warn(error);
    }
    database.listen(this.deps.store, () => this.wake());
    this.running = this.run(database);
  }

  /** The database of the outbox; `undefined` before the start. */
  get database(): OutboxDatabase | undefined {
    return this.isStopped ? undefined : this.opened;
  }

  /** This process has stored rows, whose transaction commits soon. Not every database tells of the commit. */
  expectRows(): void {
    if (this.opened?.dialect === 'postgres') return;
    this.soon = SOON;
    this.wake();
  }

  /** Ends the relay after the batch under way. Safe to call twice. */
  async stop(): Promise<void> {
    this.isStopped = true;
    this.wake();
    await this.running;
    const { opened } = this;
    this.opened = undefined;
    await opened?.close().catch(() => undefined);
  }

  private wake(): void {
    this.isWoken = true;
    this.endPause?.();
  }

  private async run(database: OutboxDatabase): Promise<void> {
    let failed = FAILED;
    while (!this.isStopped) {
      const wasWoken = this.isWoken;
      this.isWoken = false;
      try {
        const taken = wasWoken || (await database.hasRows(this.deps.store)) ? await this.takeBatch(database) : 'empty';
        failed = FAILED;
        this.mended(database);
        await this.pauseAfter(database, taken);
      } catch (error) {
        // The engine logs its own outages.
        if (!(error instanceof EngineUnavailableError)) this.warn(error);
        await this.pause(failed, false);
        failed = Math.min(failed * 2, LONGEST_PAUSE);
      }
    }
  }

  private async pauseAfter(database: OutboxDatabase, taken: Taken): Promise<void> {
    if (taken === 'busy') return this.pause(WHILE_BUSY, false);
    if (taken === 'empty') {
      await this.inspect(database);
      this.soon = Math.min(this.soon * 2, POLL);
      return this.pause(this.soon, true);
    }
    this.soon = SOON;
    // A commit does not end this pause: rows that come one after the other are moved together.
    if (taken < BATCH) await this.pause(SOON, false);
    this.isWoken = true;
  }

  private async takeBatch(database: OutboxDatabase): Promise<Taken> {
    let interruption: unknown;
    const taken = await database.take(this.deps.store, BATCH, async (rows): Promise<MovedRows> => {
      const batch = await this.deps.move(rows);
      ({ interruption } = batch);
      for (const { seq, reason } of batch.rejected) this.logRejected(database, seq, reason);
      return batch;
    });
    if (interruption !== undefined) throw interruption;
    return taken;
  }

  /** @param isEndable whether the pause ends with a commit that the database tells of */
  private async pause(milliseconds: number, isEndable: boolean): Promise<void> {
    if (this.isStopped || (isEndable && this.isWoken)) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.endPause = () => {
        if (!isEndable && !this.isStopped) return;
        clearTimeout(timer);
        resolve();
      };
    });
    this.endPause = undefined;
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

  private warn(error: unknown): void {
    const { message } = error as Error;
    if (this.isStopped || this.problem !== undefined) return;
    this.problem = message;
    const where = this.opened?.address ?? 'the database';
    this.logger.warn(
      error instanceof ConfigurationError
        ? message
        : `The outbox in ${where} cannot be moved for now: ${message}. Its calls wait there, and this process goes on trying.`,
    );
  }

  private mended({ address }: OutboxDatabase): void {
    if (this.problem === undefined) return;
    this.problem = undefined;
    this.logger.log(`The outbox in ${address} is moved again.`);
  }
}
