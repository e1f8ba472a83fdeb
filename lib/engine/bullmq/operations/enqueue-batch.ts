import { EngineUnavailableError } from '../../../errors.js';
import type { Portions, Stored } from '../driver.js';
import type { JobEntry } from '../jobs/job-data.js';

/** Jobs that were added together, and whoever waits for them. */
interface Addition {
  readonly jobs: readonly JobEntry[];
  /** Those that are known, each in its place. */
  readonly ids: string[];
  missing: number;
  resolve(ids: readonly string[]): void;
  reject(error: unknown): void;
}

/** One job of an addition. */
interface Waiting {
  readonly addition: Addition;
  readonly index: number;
}

/**
 * Gathers the jobs that are added to a queue in one turn of the event loop, whoever adds them, and stores them together:
 * a database that takes a millisecond for one row takes hardly more for a hundred. One that comes alone waits no longer
 * than to the end of the turn.
 */
export class EnqueueBatch {
  private waiting: Waiting[] = [];

  /**
   * @param store stores jobs in one round trip, and resolves once it has told of each; repeating it must be harmless
   */
  constructor(
    private readonly store: (jobs: readonly JobEntry[], stored: Stored) => Promise<void>,
    private readonly portions: Portions,
  ) {}

  /** @returns for each the id of the job that stands for it: its own, or that of an earlier one that keeps it away */
  add(jobs: readonly JobEntry[]): Promise<readonly string[]> {
    return new Promise((resolve, reject) => {
      const addition: Addition = { jobs, ids: [], missing: jobs.length, resolve, reject };
      if (jobs.length === 0) return resolve([]);
      if (this.waiting.length === 0) setImmediate(() => void this.flush());
      for (let index = 0; index < jobs.length; index++) this.waiting.push({ addition, index });
    });
  }

  private async flush(): Promise<void> {
    const all = this.waiting;
    this.waiting = [];
    const { size, atOnce } = this.portions;
    const begun: Promise<void>[] = [];
    for (let start = 0; start < all.length; start += size) {
      if (begun.length === atOnce) await begun.shift();
      begun.push(this.storeTogether(all.slice(start, start + size)));
    }
  }

  private async storeTogether(batch: readonly Waiting[]): Promise<void> {
    try {
      await this.store(batch.map(jobOf), (index, id) => noteId(batch[index] as Waiting, id));
    } catch (error) {
      if (batch.length === 1 || error instanceof EngineUnavailableError) {
        for (const { addition } of batch) addition.reject(error);
        return;
      }
      // One of them spoils it for all, so each is tried by itself and gets its own error. What was stored before the
      // failure has its id already, and is not stored twice.
      await Promise.all(
        batch.map((waiting) =>
          this.store([jobOf(waiting)], (_, id) => noteId(waiting, id)).catch((own: unknown) =>
            waiting.addition.reject(own),
          ),
        ),
      );
    }
  }
}

function jobOf({ addition, index }: Waiting): JobEntry {
  return addition.jobs[index] as JobEntry;
}

function noteId({ addition, index }: Waiting, id: string): void {
  // A second attempt tells again what the first one told.
  if (addition.ids[index] !== undefined) return;
  addition.ids[index] = id;
  if (--addition.missing === 0) addition.resolve(addition.ids);
}
