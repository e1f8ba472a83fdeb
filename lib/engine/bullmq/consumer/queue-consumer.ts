import { Logger } from '@nestjs/common';
import type { Job, Worker } from 'bullmq';
import { bullmq } from '../bullmq-package.js';
import { TaskCancelledError, WorkerClosingError, WorkerLostError } from '../../../errors.js';
import type { ConsumerOptions, Delivery, Outcome } from '../../engine.js';
import type { Interruption } from '../../interruption.js';
import type { Json } from '../../json.js';
import { BlockedLoop } from './event-loop-monitor.js';
import { CancelRequests } from './cancel-poll.js';
import { LostTasks } from './lost-task-log.js';
import { rootOf } from '../operations/member-flows.js';
import { delayUntilRetry, isVerdict, OutcomeSettler, type SettlerSurroundings } from './outcome-translator.js';
import { sweepRegularly } from './retention-sweep.js';
import { endsWithin, listOf, RunningTasks, type RunningTask } from './running-tasks.js';
import { cancellation, isAbandonment } from '../jobs/job-failure.js';
import { readData, readHeaders, readOptions, type StoredJobOptions } from '../jobs/job-data.js';
import type { Store } from '../driver.js';
import { writeSuccess } from '../jobs/job-success.js';

/** How long the methods may still go on once their signals are aborted, before the tasks are given back. */
const ABORT_GRACE = 2_000;
/** How long it may take to store how the last tasks ended, and to close connections. */
const CLOSE_GRACE = 3_000;
/** What a consumer needs around it. */
export interface ConsumerSurroundings extends SettlerSurroundings {
  readonly store: Store;
  /** A job whose worker gave no sign of life for so many milliseconds is run again by another. */
  readonly abandonedAfter: number;
  /** Hears of errors that nobody waits for. */
  readonly onError: (error: Error) => void;
}

/** A task as it was when it was taken. */
type Ending = Pick<Job, 'name' | 'processedOn' | 'attemptsMade'>;

/** Takes jobs from one BullMQ queue and translates between deliveries and jobs, outcomes and BullMQ's terms. */
export class QueueConsumer {
  private readonly logger = new Logger('TaskQueue');
  private readonly running = new RunningTasks();
  /** Tasks that have ended here, until that is stored. */
  private readonly ending = new Map<string, Ending>();
  private readonly losses = new LostTasks(this.logger);
  private readonly worker: Worker;
  private readonly blockedLoop: BlockedLoop;
  private readonly cancelRequests: CancelRequests;
  private readonly settler: OutcomeSettler;
  private readonly stopSweeping: () => void;
  private stopping: Promise<void> | undefined;

  constructor(
    private readonly queue: string,
    options: ConsumerOptions,
    private readonly run: (delivery: Delivery) => Promise<Outcome>,
    private readonly around: ConsumerSurroundings,
  ) {
    const { abandonedAfter, feed } = around;
    this.worker = around.store.createWorker(queue, (job, token) => this.process(job, token), {
      autorun: false,
      concurrency: options.concurrency,
      ...(options.rateLimit && { limiter: { max: options.rateLimit.max, duration: options.rateLimit.per } }),
      lockDuration: abandonedAfter,
      stalledInterval: abandonedAfter / 2,
      maxStalledCount: 1,
      runRetryDelay: 1_000,
      settings: { backoffStrategy: delayUntilRetry },
    });
    this.worker.on('error', (error) => this.noticed(error));
    this.worker.on('completed', (job, result) => {
      const { id = '', data } = job;
      this.ending.delete(id);
      feed.changed(id, true, () => writeSuccess(job, result));
      this.tellRoot(id, data);
    });
    this.worker.on('failed', (job, error) => {
      if (!job?.id) return;
      this.ending.delete(job.id);
      // Without that, another attempt follows.
      feed.changed(job.id, job.finishedOn !== undefined);
      this.tellRoot(job.id, job.data);
      if (isAbandonment(error.message)) this.losses.giveUp(job.id, job.name);
    });
    this.worker.on('stalled', (id) => feed.changed(id));
    this.worker.on('lockRenewalFailed', (ids) => this.lose(ids));
    // A hold is renewed when half of its time is over, so it may end when nothing happens for the other half.
    this.blockedLoop = new BlockedLoop(abandonedAfter / 2, (blocked) => this.wasBlocked(blocked));
    const backend = this.worker.getBackend();
    this.cancelRequests = new CancelRequests(backend, this.running);
    this.settler = new OutcomeSettler(around, this.cancelRequests);
    this.stopSweeping = sweepRegularly(backend, options.keep);
  }

  async start(): Promise<void> {
    // Before: a worker that runs on a store it cannot use floods the event loop with errors.
    await this.worker.waitUntilReady();
    if (!this.stopping) this.worker.run().catch((error: unknown) => this.noticed(error as Error));
  }

  interrupt(id: string, reason: Error): void {
    this.running.interrupt(reason, id);
  }

  stop(grace: number): Promise<void> {
    this.stopping ??= this.drain(grace);
    return this.stopping;
  }

  private async drain(grace: number): Promise<void> {
    this.cancelRequests.stop();
    this.stopSweeping();
    // From here on it takes no more. It is closed once the tasks have ended, and not before the server answers.
    const closed = this.worker.close();
    if (!(await this.running.haveEnded(grace))) {
      this.running.interrupt(new WorkerClosingError());
      await this.running.haveEnded(ABORT_GRACE);
    }
    const leftOver = this.running.all();
    if (leftOver.length > 0) {
      this.logger.warn(
        `Could not give back ${listOf(leftOver)}: another process runs what this one left, after ${this.around.abandonedAfter} ms.`,
      );
    }
    this.settler.leave();
    await endsWithin(closed, CLOSE_GRACE);
    this.blockedLoop.stop();
    this.losses.tell();
  }

  private async process(job: Job, token: string | undefined): Promise<Json | undefined> {
    const task = this.running.add(job.id as string, job.name);
    const { name, processedOn, attemptsMade } = job;
    try {
      if ((job.opts as StoredJobOptions).task?.uniqueWhilePending) await job.removeDeduplicationKey();
      const outcome = await this.outcomeOf(job, task.interruption);
      this.blockedLoop.look();
      // Another process has it, or will: BullMQ is told to leave it alone.
      if (task.lost) throw new bullmq.WaitingError();
      if (outcome.kind !== 'postponed' && outcome.kind !== 'waiting')
        this.ending.set(task.id, { name, processedOn, attemptsMade });
      if (outcome.kind === 'succeeded' || outcome.kind === 'failed') this.around.feed.ending(task.id);
      return outcome.kind === 'succeeded' ? outcome.result : await this.settler.settle(outcome, job, token);
    } catch (error) {
      if (isVerdict(error)) throw error;
      // Not the task's error: how it ended could not be said. To fail it for that would be wrong; it is run again.
      this.noticed(error as Error);
      throw new bullmq.WaitingError();
    } finally {
      this.running.remove(task);
      if (task.interruption.reason instanceof TaskCancelledError) this.cancelRequests.forget(task.id);
    }
  }

  private outcomeOf(job: Job, interruption: Interruption): Outcome | Promise<Outcome> {
    // Fetched in the very moment in which the application began to close.
    if (this.stopping) return { kind: 'postponed', delay: 0 };
    const id = job.id as string;
    this.around.feed.changed(id);
    const data = readData(job.data);
    if (data?.cancelled) return { kind: 'failed', failure: cancellation(data.cancelled.reason) };
    return this.run({
      id,
      name: job.name,
      queue: this.queue,
      args: data?.args,
      headers: readHeaders(data),
      options: readOptions(job.opts),
      attempt: job.attemptsMade + 1,
      starts: job.attemptsStarted,
      abandoned: job.stalledCounter,
      enqueuedAt: job.timestamp,
      ...(data?.note !== undefined && { note: data.note }),
      root: data?.root ?? id,
      memberCount: data?.members?.reduce((sum, { count }) => sum + count, 0) ?? 0,
      members: () => this.around.flows.results(job, data?.members ?? []),
      interruption,
      progress: (value) =>
        this.besides(async () => {
          await job.updateProgress(value as object);
          this.around.feed.changed(id);
        }),
      log: (line) =>
        this.besides(async () => {
          await job.log(line);
        }),
    });
  }

  /** Whoever watches a workflow watches its root. */
  private tellRoot(id: string, data: unknown): void {
    const root = rootOf(data);
    if (root !== undefined && root !== id) this.around.feed.changed(root);
  }

  /** What a task tells while it runs is no reason for it to fail when nobody can be told. */
  private async besides(tell: () => Promise<void>): Promise<void> {
    try {
      await tell();
    } catch (error) {
      if (!this.around.store.isOutage(error) && !isLoss(error as Error)) throw error;
      this.noticed(error as Error);
    }
  }

  private lose(ids: readonly string[]): void {
    for (const task of this.running.all()) {
      if (task.lost || !ids.includes(task.id)) continue;
      task.lost = true;
      this.losses.lose(task.id, task.name);
      this.interrupt(task.id, new WorkerLostError('This process lost its hold on the task; another may run it now.'));
    }
  }

  private wasBlocked(milliseconds: number): void {
    const tasks: readonly RunningTask[] = this.running.all();
    if (tasks.length === 0) return;
    this.logger.warn(
      `The event loop was blocked for ${(milliseconds / 1000).toFixed(1)} s while these tasks ran: ${listOf(tasks)}. ` +
        `A process that gives no sign of life for ${this.around.abandonedAfter / 1000} s counts as dead, and its tasks run again elsewhere. ` +
        'Work that takes so long without a pause belongs in a worker thread.',
    );
  }

  private noticed(error: Error): void {
    if (RENEWAL_FAILED.test(error.message)) return;
    const [, id, moved] = LOSS.exec(error.message) ?? [];
    const lost = id ?? moved;
    if (lost === undefined) return this.around.onError(error);
    // It is said twice: how it ended cannot be stored, nor that it failed.
    const ending = this.ending.get(lost);
    this.ending.delete(lost);
    if (ending) void this.checkLoss(lost, ending);
  }

  /** Perhaps it was stored, and only the answer did not come: then nobody has taken it since, and its attempt counts. */
  private async checkLoss(id: string, { name, processedOn, attemptsMade }: Ending): Promise<void> {
    const found = await this.around.store.find(this.queue, id).catch(() => undefined);
    const isStored = found?.json.processedOn === processedOn && (found?.json.attemptsMade ?? 0) > attemptsMade;
    if (isStored) this.around.feed.changed(id, true);
    else this.losses.lose(id, name);
  }
}

/** BullMQ says that of each task, each time; `lockRenewalFailed` says it once. */
const RENEWAL_FAILED = /could not renew lock/;
/** BullMQ's words when a job that ran here is another's by now, or nobody's: its lock is gone, or the job itself. */
const LOSS = /^(?:(?:Missing (?:lock|key)|Lock mismatch) for job (\S+)\. |Job (\S+) is not in the active state)/;

function isLoss(error: Error): boolean {
  return LOSS.test(error.message);
}
