import type { BulkJobOptions, Job } from 'bullmq';
import { EngineUnavailableError } from '../../errors.js';

export interface NewJob {
  readonly name: string;
  readonly data: unknown;
  readonly opts: BulkJobOptions;
}

interface Waiting {
  readonly job: NewJob;
  resolve(id: string): void;
  reject(error: unknown): void;
}

/** Jobs of one round trip at most. */
const ROUND_TRIP = 1_000;

/**
 * Gathers the jobs that are added to a queue in one turn of the event loop, whoever adds them, and stores them in one
 * round trip: a database that takes a millisecond for one row takes hardly more for a hundred. One that comes alone
 * waits no longer than to the end of the turn.
 */
export class EnqueueBatch {
  private waiting: Waiting[] = [];

  /** @param store stores jobs in one round trip; repeating it must be harmless */
  constructor(private readonly store: (jobs: NewJob[]) => Promise<Job[]>) {}

  /** @returns the id of the job that stands for it: its own, or that of an earlier one that keeps it away */
  add(job: NewJob): Promise<string> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ job, resolve, reject });
      if (this.waiting.length === 1) setImmediate(() => void this.flush());
    });
  }

  private async flush(): Promise<void> {
    const all = this.waiting;
    this.waiting = [];
    for (let start = 0; start < all.length; start += ROUND_TRIP) {
      await this.storeTogether(all.slice(start, start + ROUND_TRIP));
    }
  }

  private async storeTogether(batch: readonly Waiting[]): Promise<void> {
    try {
      const stored = await this.store(batch.map(({ job }) => job));
      batch.forEach(({ resolve }, index) => resolve(stored[index]?.id as string));
    } catch (error) {
      if (batch.length === 1 || error instanceof EngineUnavailableError) {
        for (const { reject } of batch) reject(error);
        return;
      }
      // One of them spoils it for all, so each is tried by itself and gets its own error. What was stored before the
      // failure has its id already, and is not stored twice.
      await Promise.all(
        batch.map(({ job, resolve, reject }) =>
          this.store([job]).then(([stored]) => resolve(stored?.id as string), reject),
        ),
      );
    }
  }
}
