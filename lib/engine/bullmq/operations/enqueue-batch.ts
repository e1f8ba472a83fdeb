import { EngineUnavailableError } from '../../../errors.js';
import type { OnStored, StoreLimits } from '../driver.js';
import type { JobEntry } from '../jobs/job-data.js';
import { JobsBehindKeys } from './jobs-behind-keys.js';

/** Jobs that a caller adds together. Each is made when it is needed: those of later calls of the store while earlier ones are under way. */
export interface AddedJobs {
  readonly length: number;
  at(index: number): JobEntry | undefined;
}

/** What one caller added. */
interface Addition {
  readonly jobs: AddedJobs;
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

export interface EnqueueBatchDeps {
  /**
   * Stores jobs in one round trip and resolves after it has called `onStored` for each; repeating it must be harmless.
   *
   * @returns the indexes of jobs that were not stored, because an open transaction has locked their keys
   */
  readonly store: (jobs: readonly JobEntry[], onStored: OnStored) => Promise<readonly number[]>;
  readonly limits: StoreLimits;
  /** Milliseconds for which a job waits for its key. */
  readonly timeout: number;
}

/**
 * Gathers the jobs that are added to a queue in one turn of the event loop, by any number of callers, and stores them
 * together: a database that needs a millisecond for one row needs hardly more for a hundred. A single job waits no
 * longer than to the end of the turn. A job whose key is locked waits by itself.
 */
export class EnqueueBatch {
  private pending: PendingJob[] = [];
  private readonly behindKeys: JobsBehindKeys<PendingJob>;

  constructor(private readonly deps: EnqueueBatchDeps) {
    const { timeout, limits } = deps;
    this.behindKeys = new JobsBehindKeys({
      ...{ timeout, size: limits.size },
      store: (batch) => this.storeOrReject(batch),
      giveUp: ({ addition }) => addition.reject(lockedKey(timeout)),
    });
  }

  /** @returns for each job the id it is stored under: its own, or that of an earlier job with the same deduplication key */
  add(jobs: AddedJobs): Promise<readonly string[]> {
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
    const begun: Promise<void>[] = [];
    for (let start = 0; start < all.length;) {
      const jobs = this.jobsFrom(all, start);
      const batch = all.slice(start, start + jobs.length);
      start += jobs.length;
      if (begun.length === this.deps.limits.atOnce) await begun.shift();
      begun.push(this.storeTogether(batch, jobs));
    }
  }

  /** The jobs that are stored together, the first one at `start`. */
  private jobsFrom(all: readonly PendingJob[], start: number): JobEntry[] {
    const { size, length: most } = this.deps.limits;
    const jobs: JobEntry[] = [];
    for (let length = 0; jobs.length < size && length < most && start + jobs.length < all.length;) {
      const entry = jobOf(all[start + jobs.length] as PendingJob);
      length += entry.job.data.length;
      jobs.push(entry);
    }
    return jobs;
  }

  private storeTogether(batch: readonly PendingJob[], jobs: readonly JobEntry[]): Promise<void> {
    return this.storeOrReject(batch, jobs).then((locked) => this.behindKeys.add(locked));
  }

  /** @returns the jobs whose keys are locked. All others are stored, or their callers have got an error */
  private storeOrReject(
    batch: readonly PendingJob[],
    jobs: readonly JobEntry[] = batch.map(jobOf),
  ): Promise<readonly PendingJob[]> {
    return this.store(batch, jobs).catch((error: unknown) => this.storeInHalves(batch, error));
  }

  private async storeInHalves(batch: readonly PendingJob[], error: unknown): Promise<readonly PendingJob[]> {
    if (batch.length === 1 || error instanceof EngineUnavailableError) {
      for (const { addition } of batch) addition.reject(error);
      return [];
    }
    // One bad job made the whole batch fail, so each half is stored by itself, down to the bad job, which gets its own error. A
    // job that was stored before the failure has its id already and is not stored twice.
    const middle = Math.ceil(batch.length / 2);
    const locked = await this.storeOrReject(batch.slice(0, middle));
    return [...locked, ...(await this.storeOrReject(batch.slice(middle)))];
  }

  private store(batch: readonly PendingJob[], jobs: readonly JobEntry[]): Promise<readonly PendingJob[]> {
    const onStored: OnStored = (index, id) => setId(batch[index] as PendingJob, id);
    const stored = this.deps.store(jobs, onStored);
    return stored.then((locked) => locked.map((index) => batch[index] as PendingJob));
  }
}

function lockedKey(timeout: number): EngineUnavailableError {
  return new EngineUnavailableError(
    `Another transaction has stored a task with the same key, and has not ended within ${timeout} ms. The task was not stored.`,
  );
}

function jobOf({ addition, index }: PendingJob): JobEntry {
  return addition.jobs.at(index) as JobEntry;
}

function setId({ addition, index }: PendingJob, id: string): void {
  // A second attempt reports again what the first one reported.
  if (addition.ids[index] !== undefined) return;
  addition.ids[index] = id;
  if (--addition.missing === 0) addition.resolve(addition.ids);
}
