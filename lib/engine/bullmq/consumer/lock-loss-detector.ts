import type { Job } from 'bullmq';
import type { ChangeFeed } from '../changes/change-feed.js';
import type { FoundJob, StoredJobs } from '../stored-jobs.js';
import type { LostTaskLog } from './lost-task-log.js';

/** A job as it was when this process took it. */
type TakenJob = Pick<Job, 'name' | 'processedOn' | 'attemptsMade'>;

export interface LockLossDetectorDeps {
  readonly queue: string;
  readonly jobs: Pick<StoredJobs, 'find'>;
  readonly feed: ChangeFeed;
  readonly log: LostTaskLog;
  /** Called with a job whose end is stored. */
  readonly onFound: (id: string, job: FoundJob) => void;
}

/** Finds out whether an end that BullMQ could not store was lost, or stored without this process hearing the answer. */
export class LockLossDetector {
  /** Jobs whose end this process is storing, by id. */
  private readonly storing = new Map<string, TakenJob>();

  constructor(private readonly deps: LockLossDetectorDeps) {}

  willStoreEnd(id: string, job: TakenJob): void {
    this.storing.set(id, job);
  }

  hasStoredEnd(id: string): void {
    this.storing.delete(id);
  }

  /** Handles an error event of BullMQ's worker. @returns false when the error is not about a lost lock */
  handle(error: Error): boolean {
    if (RENEWAL_FAILED.test(error.message)) return true;
    const id = lostJobOf(error);
    if (id === undefined) return false;
    // BullMQ reports a lost job twice: once for the result, once for the failure it then tries to store.
    const job = this.storing.get(id);
    this.storing.delete(id);
    if (job) void this.check(id, job);
    return true;
  }

  /** The end is stored if no process has taken the job since and its attempt counts. */
  private async check(id: string, { name, processedOn, attemptsMade }: TakenJob): Promise<void> {
    const { jobs, queue, feed, log, onFound } = this.deps;
    const [found] = await jobs.find([{ queue, id }]).catch(() => []);
    const isStored = found?.json.processedOn === processedOn && (found?.json.attemptsMade ?? 0) > attemptsMade;
    if (!found || !isStored) return log.addLost(id, name);
    feed.changed(id, true);
    onFound(id, found);
  }
}

/** Whether BullMQ refused a call because this process no longer has the lock on the job. */
export function isLockLoss(error: Error): boolean {
  return lostJobOf(error) !== undefined;
}

function lostJobOf(error: Error): string | undefined {
  const [, id, moved] = LOCK_LOSS.exec(error.message) ?? [];
  return id ?? moved;
}

/** BullMQ emits this for each task each time; its event `lockRenewalFailed` comes once. */
const RENEWAL_FAILED = /could not renew lock/;
/** BullMQ's words for a job that ran here and whose lock, or the job itself, is gone. */
const LOCK_LOSS = /^(?:(?:Missing (?:lock|key)|Lock mismatch) for job (\S+)\. |Job (\S+) is not in the active state)/;
