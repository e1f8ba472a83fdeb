import type { Job } from 'bullmq';
import { isCancellation, isExpiry } from '../../failures.js';
import type { CountedTimes, TaskCounter } from '../../statistics/task-counter.js';
import { readData } from '../jobs/job-data.js';
import { readStack } from '../jobs/job-failure.js';

/** Counts what the worker of one queue has stored. */
export class JobCounts {
  constructor(
    private readonly queue: string,
    /** `undefined`: nothing is counted. */
    private readonly counter: Pick<TaskCounter, 'count'> | undefined,
    private readonly now: () => number,
  ) {}

  succeeded(job: Job): void {
    if (!this.counter) return;
    const { finishedOn = this.now(), processedOn } = job;
    const run = processedOn === undefined ? undefined : finishedOn - processedOn;
    this.count('succeeded', job, finishedOn, { wait: waitOf(job), run });
  }

  /** An attempt failed. `finishedOn` is set only when no attempt is left. */
  failed(job: Job): void {
    if (!this.counter) return;
    const { failure, attempt } = readStack(job.stacktrace?.at(-1) ?? '');
    const at = job.finishedOn ?? this.now();
    const run = attempt ? attempt.ended - attempt.started : undefined;
    const kind = isCancellation(failure) ? 'cancelled' : isExpiry(failure) ? 'expired' : 'failed';
    const wait = attempt ? waitOf(job) : undefined;
    this.count(job.finishedOn === undefined ? 'retried' : kind, job, at, { wait, run });
  }

  private count(
    event: 'succeeded' | 'failed' | 'retried' | 'cancelled' | 'expired',
    job: Job,
    at: number,
    times: CountedTimes,
  ): void {
    this.counter?.count(event, this.queue, job.name, at, times);
    // Several processes may have stored it, and none of them has counted it.
    const isShared = job.attemptsMade <= 1 && readData(job.data)?.by !== undefined;
    if (isShared) this.counter?.count('enqueued', this.queue, job.name, job.timestamp);
  }
}

/** How long the first attempt waited for a worker; `undefined` when members or an earlier attempt took a part of the time. */
function waitOf({ attemptsMade, processedOn, timestamp, opts, data }: Job): number | undefined {
  const { members, looks, note } = readData(data) ?? {};
  if (attemptsMade > 1 || processedOn === undefined || members || looks || note) return undefined;
  return processedOn - timestamp - (opts.delay ?? 0);
}
