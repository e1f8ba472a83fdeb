import { EngineUnavailableError } from '../../errors.js';
import type { MovedRows, OutboxDatabase, OutboxRow, Taken } from './outbox-database.js';
import type { MovedBatch } from './outbox-mover.js';
import type { OutboxPart } from './outbox-part.js';

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

export interface RelayLaneDeps {
  readonly database: OutboxDatabase;
  readonly part: OutboxPart;
  readonly move: (rows: readonly OutboxRow[]) => Promise<MovedBatch>;
  /** Called when no row waits. */
  readonly onEmpty: () => Promise<void>;
  /** Called with an error of the database, and with `undefined` once it answers. */
  readonly onProblem: (error: unknown) => void;
  /** Called for a row that can never be moved. */
  readonly onRejected: (seq: string, reason: string) => void;
}

/** Moves the rows of one part of the outbox, in the order of their inserts, whatever becomes of the other parts. */
export class RelayLane {
  private readonly running: Promise<void>;
  private isStopped = false;
  private isWoken = false;
  private endPause: (() => void) | undefined;
  /** Milliseconds to the next look at the table. */
  private soon = SOON;

  constructor(private readonly deps: RelayLaneDeps) {
    this.running = this.run();
  }

  /** Rows of this process are committed soon. */
  expectRows(): void {
    this.soon = SOON;
    this.wake();
  }

  wake(): void {
    this.isWoken = true;
    this.endPause?.();
  }

  /** Ends the lane after the batch under way. */
  async stop(): Promise<void> {
    this.isStopped = true;
    this.wake();
    await this.running;
  }

  private async run(): Promise<void> {
    const { database, part, onProblem } = this.deps;
    let failed = FAILED;
    while (!this.isStopped) {
      const wasWoken = this.isWoken;
      this.isWoken = false;
      try {
        const taken = wasWoken || (await database.hasRows(part)) ? await this.takeBatch() : 'empty';
        failed = FAILED;
        onProblem(undefined);
        await this.pauseAfter(taken);
      } catch (error) {
        // The engine logs its own outages.
        if (!(error instanceof EngineUnavailableError)) onProblem(error);
        await this.pause(failed, false);
        failed = Math.min(failed * 2, LONGEST_PAUSE);
      }
    }
  }

  private async pauseAfter(taken: Taken): Promise<void> {
    if (taken === 'busy') return this.pause(WHILE_BUSY, false);
    if (taken === 'empty') {
      await this.deps.onEmpty();
      this.soon = Math.min(this.soon * 2, POLL);
      return this.pause(this.soon, true);
    }
    this.soon = SOON;
    // A commit does not end this pause: rows that come one after the other are moved together.
    if (taken < BATCH) await this.pause(SOON, false);
    this.isWoken = true;
  }

  private async takeBatch(): Promise<Taken> {
    const { database, part, move, onRejected } = this.deps;
    let interruption: unknown;
    const taken = await database.take(part, BATCH, async (rows): Promise<MovedRows> => {
      const batch = await move(rows);
      ({ interruption } = batch);
      for (const { seq, reason } of batch.rejected) onRejected(seq, reason);
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
}
