import type { JobJson, JobState, Queue } from 'bullmq';
import type { Json } from '../json.js';
import type { TaskFailure } from '../task.js';
import type { JobData } from './jobs/job-data.js';

/** Looks up and changes stored jobs. */
export interface StoredJobs {
  /**
   * Reads jobs in one round trip, whatever the length of their queues, and answers in their order. Each job is read in one
   * step, so its state and its fields belong to the same moment. A queue may be one that no process has ever used.
   *
   * @returns the answers for all jobs, or for the first ones, at least one, when the jobs are large
   */
  find(jobs: readonly JobRef[]): Promise<(FoundJob | undefined)[]>;
  /**
   * Stores the mark of a cancel in jobs that have not ended and have no mark, and promotes the delayed ones, so that a worker
   * ends them. A job is marked and read in one step, so its state is the one in which it was when it got the mark.
   *
   * @returns the jobs with their marks, in order
   */
  cancel(queue: Queue, cancels: readonly CancelOfJob[]): Promise<(FoundJob | undefined)[]>;
  /**
   * Notes in the mark of a cancelled job that has not ended that it has to run again after its end, or removes the note, in one step.
   *
   * @returns the job after it; `undefined` when there is none
   */
  runAgainAfterEnd(job: JobRef, again: boolean): Promise<FoundJob | undefined>;
  /**
   * Replaces the data of a cancelled job if its mark still has the note of {@link runAgainAfterEnd}, in one step.
   *
   * @returns false when a caller has removed the note, or has run the job again
   */
  beginAgain(job: JobRef, data: JobData): Promise<boolean>;
  /**
   * Stores the mark of a failed member in a job that waits, in one step.
   *
   * @returns the job with its mark; `undefined` when a worker has it, it has ended or has a mark, or a caller has run it again
   */
  fail(job: JobRef, failure: FailureOfJob): Promise<FoundJob | undefined>;
  /**
   * Overwrites those parts of a stored job that keep BullMQ from ending or removing it. The parent of the job, if it has
   * one, still hears of its end. Needs nothing of the job but its id.
   *
   * @param reason why the job cannot be read
   */
  makeEndable(queue: string, id: string, reason: string): Promise<void>;
  /**
   * Makes a job hold its deduplication key, unless a job holds it.
   *
   * @returns the id of the job that holds the key now
   */
  holdKey(queue: string, key: string, id: string): Promise<string>;
  /**
   * Removes jobs that ended before a time, but for the members of workflows that are stored.
   *
   * @returns how many it removed, or looked at; when that is `atOnce`, there may be more
   */
  removeEnded(queue: string, jobs: EndedJobs): Promise<number>;
  /**
   * Changes a job that waits, in one step: a worker that takes the job in that moment gets all of the change or nothing of it.
   *
   * @returns false when the job is not in the state that the change is for, or has the mark of a cancel
   */
  edit(queue: string, id: string, edit: JobEdit): Promise<boolean>;
}

/** Where a job is stored. */
export interface JobRef {
  readonly queue: string;
  readonly id: string;
}

/** A request to cancel a job. */
export interface CancelOfJob {
  readonly id: string;
  readonly at: number;
  readonly reason?: string;
  /** Tells this request apart from others. */
  readonly by?: string;
}

/** The failure of a job that waits for its members. */
export interface FailureOfJob {
  readonly at: number;
  readonly failure: TaskFailure;
  /** How often a caller had run the job again when the member failed. */
  readonly reruns: number;
}

/** A change of a job. */
export interface JobEdit {
  /** `unstarted`: a job that waits or is delayed, and whose method was not called. `delayed`: a delayed job, which comes first then. */
  readonly only: 'unstarted' | 'delayed';
  readonly now: number;
  readonly args?: readonly Json[];
  /** The time at which the job is due. A job that is due waits in its queue. */
  readonly startAt?: number;
  /** BullMQ's number, lower first. */
  readonly priority?: number;
}

/** A job as it was at one moment. */
export interface FoundJob {
  readonly json: JobJson;
  readonly state: JobState;
}

/** Jobs that ended before a time, the first ones first. */
export interface EndedJobs {
  readonly state: 'completed' | 'failed';
  readonly before: number;
  readonly atOnce: number;
}
