import type { Job } from 'bullmq';
import { isCancellation } from '../../failures.js';
import type { ChangeFeed } from '../changes/change-feed.js';
import { readData } from '../jobs/job-data.js';
import { isAbandonment, readStack } from '../jobs/job-failure.js';
import { writeSuccess } from '../jobs/job-success.js';
import { rootOf } from '../operations/member-flows.js';
import type { CommittedSuccesses } from './committed-successes.js';
import type { JobChanges } from './job-changes.js';
import type { JobCounts } from './job-counts.js';
import type { LockLossDetector } from './lock-loss-detector.js';
import type { LostTaskLog } from './lost-task-log.js';
import type { RetriesAfterCancel } from './retries-after-cancel.js';

export interface StoredEndsDeps {
  readonly lockLoss: LockLossDetector;
  readonly feed: ChangeFeed;
  readonly changes: JobChanges;
  readonly counts: JobCounts;
  readonly successes: CommittedSuccesses;
  readonly lostTasks: LostTaskLog;
  readonly retries: RetriesAfterCancel;
}

/** Does what follows the end of an attempt once that is stored: it tells watchers and listeners, and counts. */
export class StoredEnds {
  /** The time of the last one, by `performance.now()`. */
  lastAt = -Infinity;

  constructor(private readonly deps: StoredEndsDeps) {}

  /** The success of a job is stored. */
  completed(job: Job, result: unknown): void {
    const { lockLoss, feed, changes, counts, successes } = this.deps;
    const id = job.id as string;
    this.lastAt = performance.now();
    lockLoss.hasStoredEnd(id);
    feed.changed(id, true, () => writeSuccess(job, result));
    changes.succeeded(job, result);
    counts.succeeded(job);
    successes.forget(id);
    this.announceToRoot(job);
  }

  /** The failure of an attempt is stored. */
  failed(job: Job, error: Error): void {
    const { lockLoss, feed, changes, counts, lostTasks, retries } = this.deps;
    const id = job.id as string;
    this.lastAt = performance.now();
    lockLoss.hasStoredEnd(id);
    // `finishedOn` is set only when no attempt is left.
    feed.changed(id, job.finishedOn !== undefined);
    // The process that failed the task because of a member has told its listeners.
    const isKnown = readData(job.data)?.failed !== undefined;
    if (job.finishedOn === undefined) changes.retrying(job);
    else if (!isKnown) changes.ended(job);
    if (!isKnown) counts.failed(job);
    this.announceToRoot(job);
    if (isAbandonment(error.message)) lostTasks.addGivenUp(id, job.name);
    if (job.finishedOn !== undefined && mayRunAgain(job, error)) retries.retryIfAsked(id);
  }

  /** The watchers of a workflow watch its root. */
  private announceToRoot({ id, data }: Job): void {
    const root = rootOf(data);
    if (root !== undefined && root !== id) this.deps.feed.changed(root);
  }
}

/**
 * Whether the job was cancelled while it ran. A caller cannot have asked to run one again that had the mark when this worker took it:
 * before that, the job could be run again at once.
 */
function mayRunAgain({ data }: Job, error: Error): boolean {
  const mark = readData(data)?.cancelled;
  return isCancellation(readStack(error.stack ?? '').failure) && (!mark || mark.again === true);
}
