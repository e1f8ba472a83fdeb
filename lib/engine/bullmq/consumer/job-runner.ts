import type { Logger } from '@nestjs/common';
import type { Job } from 'bullmq';
import { EngineUnavailableError } from '../../../errors.js';
import { bareError } from '../../bare-error.js';
import { cancellation, DEATHS_ALLOWED } from '../../failures.js';
import { writeLogLine } from '../../log-line.js';
import type { Delivery, DeliveryHandler, Outcome } from '../../ports/worker-port.js';
import type { RunningTask } from '../../running-tasks.js';
import type { TaskFailure } from '../../task.js';
import type { ChangeFeed } from '../changes/change-feed.js';
import type { Driver } from '../driver.js';
import { readData, type FailureMark, type JobData, type JobOptions } from '../jobs/job-data.js';
import type { MemberFlows } from '../operations/member-flows.js';
import type { TaskLog } from '../operations/task-log.js';
import type { CommittedSuccesses } from './committed-successes.js';
import type { JobChanges } from './job-changes.js';
import { toDelivery } from './job-to-delivery.js';
import { isLockLoss } from './lock-loss-detector.js';
import type { LostTaskLog } from './lost-task-log.js';
import { withLook } from './wait-for-members.js';

export interface JobRunnerDeps {
  readonly driver: Pick<Driver, 'clock' | 'isOutage'>;
  readonly feed: ChangeFeed;
  readonly flows: MemberFlows;
  readonly log: Pick<TaskLog, 'add'>;
  readonly changes: JobChanges;
  readonly successes: CommittedSuccesses;
  readonly lostTasks: LostTaskLog;
  readonly logger: Logger;
  /** Called with an outage in which progress or a log line was not stored. */
  readonly onError: (error: Error) => void;
}

/** Hands the jobs of one queue to a handler as deliveries. */
export class JobRunner {
  constructor(
    private readonly queue: string,
    private readonly handler: DeliveryHandler,
    private readonly deps: JobRunnerDeps,
  ) {}

  /** @returns the outcome that has to be stored */
  async run(job: Job, task: RunningTask, token: string): Promise<Outcome> {
    const id = job.id as string;
    if ((job.opts as JobOptions).task?.uniqueWhilePending) await job.removeDeduplicationKey();
    this.deps.feed.changed(id);
    const data = readData(job.data);
    if (data?.inbox !== undefined) this.deps.feed.taken(id, data.inbox);
    // Only a job that was taken before can have a success whose end is not stored.
    const completion =
      job.attemptsStarted > 1
        ? await this.deps.successes.ofFurther(job, token)
        : this.deps.successes.ofFirst(job, token);
    if (data?.cancelled && !completion?.earlier) {
      const failure = cancellation(data.cancelled.reason);
      // The same line as for a task that was cancelled while it ran.
      this.deps.logger.log(`Task ${job.name} (${id}) was cancelled: ${failure.message}`);
      return { kind: 'failed', failure };
    }
    if (data?.failed?.failure) return this.clearAway(job, data, data.failed.failure);
    const delivery = toDelivery(job, this.queue, data, task.interruption, {
      completion,
      flows: this.deps.flows,
      progress: (value) =>
        this.ignoreOutage(async () => {
          await job.updateProgress(value as object);
          this.deps.feed.changed(id);
        }),
      log: (text, level) => {
        const line = writeLogLine(this.deps.driver.clock.now(), level, text);
        return this.ignoreOutage(() => this.deps.log.add({ queue: this.queue, id }, line));
      },
      mark: (text) => {
        task.mark = text;
      },
      started: () => {
        if (task.hasStarted) return;
        task.hasStarted = true;
        this.deps.changes.started(job);
      },
    });
    if (delivery.abandoned > DEATHS_ALLOWED) this.deps.lostTasks.addGivenUp(id, job.name);
    const outcome = await this.handle(delivery);
    if (completion?.earlier || (completion?.isUsed && (await completion.settle()))) this.deps.successes.add(id);
    return outcome;
  }

  /** The task has failed before, because of a member, and its listeners know. */
  private async clearAway(job: Job, data: JobData, failure: TaskFailure): Promise<Outcome> {
    const { at } = data.failed as FailureMark;
    // Version 0.1.0 would not remove a mark with the failure when it runs the task again.
    await job.updateData(withLook({ ...data, failed: { at } }, false));
    return { kind: 'failed', failure };
  }

  /**
   * A handler rejects when the store cannot be reached: the job stays and runs again. Any other error would come again
   * too, for example because something forged a part of the job that only the handler reads, so the task fails with it.
   */
  private async handle(delivery: Delivery): Promise<Outcome> {
    try {
      return await this.handler.handle(delivery);
    } catch (error) {
      if (error instanceof EngineUnavailableError || this.deps.driver.isOutage(error)) throw error;
      const { name, message, stack } = bareError(error);
      this.deps.logger.error(`Task ${delivery.name} (${delivery.id}) failed: ${message}`, stack);
      return { kind: 'failed', failure: { name, message, ...(stack !== undefined && { stack }) } };
    }
  }

  /** Stores progress or a log line. An outage must not make the task fail for that. */
  private async ignoreOutage(store: () => Promise<void>): Promise<void> {
    try {
      await store();
    } catch (error) {
      // The line was tried for as long as a call may take, and the outage is logged.
      if (error instanceof EngineUnavailableError) return;
      if (!this.deps.driver.isOutage(error) && !isLockLoss(error as Error)) throw bareError(error);
      this.deps.onError(error as Error);
    }
  }
}
