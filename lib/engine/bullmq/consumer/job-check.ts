import type { Logger } from '@nestjs/common';
import type { Job } from 'bullmq';
import { unreadable } from '../../failures.js';
import type { Outcome } from '../../ports/worker-port.js';
import type { StoredJobs } from '../stored-jobs.js';
import { FORMAT, formatOf, type UnreadableOptions } from '../jobs/unreadable-job.js';

/** A job of a newer format is put back for 1 s, then for twice as long each time, up to 30 s. */
const FIRST_PAUSE = 1_000;
const LONGEST_PAUSE = 30_000;

/** Finds the jobs that this version of the package cannot run, and says what becomes of them. */
export class JobCheck {
  /** The formats that were logged. Each is logged once, because a deploy with two versions is nothing unusual. */
  private readonly logged = new Set<number>();

  constructor(
    private readonly queue: string,
    private readonly jobs: Pick<StoredJobs, 'makeEndable'>,
    private readonly logger: Logger,
  ) {}

  /**
   * The outcome of a job that must not run; `undefined` for any other job. A job that cannot be read fails. A job that a
   * newer version of this package stored is left to the workers of that version.
   */
  refuse(job: Job): Outcome | Promise<Outcome> | undefined {
    const format = formatOf(job.data);
    if (format > FORMAT) return this.putBack(job, format);
    const { unreadable: reason } = job.opts as Partial<UnreadableOptions>;
    return reason === undefined ? undefined : this.fail(job, reason);
  }

  private async fail({ id = '', name }: Job, reason: string): Promise<Outcome> {
    const failure = unreadable(reason);
    await this.jobs.makeEndable(this.queue, id, reason);
    this.logger.error(`Task ${name} (${id}) failed: ${failure.message}`);
    return { kind: 'failed', failure };
  }

  private putBack({ id, name, attemptsMade, attemptsStarted }: Job, format: number): Outcome {
    const returns = Math.max(attemptsStarted - attemptsMade - 1, 0);
    const delay = Math.min(FIRST_PAUSE * 2 ** returns, LONGEST_PAUSE);
    if (!this.logged.has(format)) {
      this.logged.add(format);
      this.logger.warn(
        `Task ${name} (${id}) was stored by a newer version of nestjs-task-queue (format ${format}, this process reads up to ` +
          `${FORMAT}). The queue "${this.queue}" keeps it, and all others of that format, for workers of that version. Update this process.`,
      );
    }
    return { kind: 'postponed', delay };
  }
}
