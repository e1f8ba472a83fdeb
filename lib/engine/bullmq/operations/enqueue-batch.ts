import { EngineUnavailableError } from '../../../errors.js';
import type { BatchLimits, OnStored } from '../driver.js';
import type { JobEntry } from '../jobs/job-data.js';

/** Jobs that one caller added together. */
interface Addition {
  readonly jobs: readonly JobEntry[];
  /** The ids that are known so far, each at the index of its job. */
  readonly ids: string[];
  missing: number;
  resolve(ids: readonly string[]): void;
  reject(error: unknown): void;
}

/** One job of an addition. */
interface PendingJob {
  readonly addition: Addition;
  readonly index: number;
}

/**
 * Gathers the jobs that are added to a queue in one turn of the event loop, by any number of callers, and stores them
 * together: a database that needs a millisecond for one row needs hardly more for a hundred. A single job waits no
 * longer than to the end of the turn.
 */
export class EnqueueBatch {
  private pending: PendingJob[] = [];

  /**
   * @param store stores jobs in one round trip and resolves after it has called `onStored` for each; repeating it must be
   * harmless
   */
  constructor(
    private readonly store: (jobs: readonly JobEntry[], onStored: OnStored) => Promise<void>,
    private readonly limits: BatchLimits,
  ) {}

  /** @returns for each job the id it is stored under: its own, or that of an earlier job with the same deduplication key */
  add(jobs: readonly JobEntry[]): Promise<readonly string[]> {
    return new Promise((resolve, reject) => {
      const addition: Addition = { jobs, ids: [], missing: jobs.length, resolve, reject };
      if (jobs.length === 0) return resolve([]);
      if (this.pending.length === 0) setImmediate(() => void this.flush());
      for (let index = 0; index < jobs.length; index++) this.pending.push({ addition, index });
    });
  }

  private async flush(): Promise<void> {
    const all = this.pending;
    this.pending = [];
    const { size, atOnce } = this.limits;
    const begun: Promise<void>[] = [];
    for (let start = 0; start < all.length; start += size) {
      if (begun.length === atOnce) await begun.shift();
      begun.push(this.storeTogether(all.slice(start, start + size)));
    }
  }

  private async storeTogether(batch: readonly PendingJob[]): Promise<void> {
    try {
      await this.store(batch.map(jobOf), (index, id) => setId(batch[index] as PendingJob, id));
    } catch (error) {
      if (batch.length === 1 || error instanceof EngineUnavailableError) {
        for (const { addition } of batch) addition.reject(error);
        return;
      }
      // One bad job made the whole batch fail, so each is stored by itself and gets its own error. A job that was stored
      // before the failure has its id already and is not stored twice.
      await Promise.all(
        batch.map((pending) =>
          this.store([jobOf(pending)], (_, id) => setId(pending, id)).catch((own: unknown) =>
            pending.addition.reject(own),
          ),
        ),
      );
    }
  }
}

function jobOf({ addition, index }: PendingJob): JobEntry {
  return addition.jobs[index] as JobEntry;
}

function setId({ addition, index }: PendingJob, id: string): void {
  // A second attempt reports again what the first one reported.
  if (addition.ids[index] !== undefined) return;
  addition.ids[index] = id;
  if (--addition.missing === 0) addition.resolve(addition.ids);
}
