import type { Job, Worker } from 'bullmq';
import { endsWithin } from '../../../concurrency.js';
import { TaskCancelledError, WorkerClosingError, WorkerLostError } from '../../../errors.js';
import { PackageLogger } from '../../../package-logger.js';
import { failsByItself } from '../../failures.js';
import { GracePeriod } from '../../grace-period.js';
import type { Json } from '../../json.js';
import type { ConsumerOptions, DeliveryHandler, Outcome } from '../../ports/worker-port.js';
import { listOf, RunningTasks, type RunningTask } from '../../running-tasks.js';
import type { TaskCounter } from '../../statistics/task-counter.js';
import type { TaskFailure } from '../../task.js';
import { bullmq } from '../bullmq-package.cjs';
import type { Driver } from '../driver.js';
import { parse, readData } from '../jobs/job-data.js';
import { wholeOf } from '../jobs/whole-of-job.js';
import type { FailedWholes } from '../operations/failed-wholes.js';
import type { TaskLog } from '../operations/task-log.js';
import { patchCreateJob } from '../patched-create-job.js';
import { renewLocksByTimer } from '../patched-lock-renewal.js';
import { pauseNoLongerThanWorker } from '../patched-stalled-check.js';
import { answeredAt } from '../patched-worker-backend.js';
import { CancelPoll } from './cancel-poll.js';
import { CommittedSuccesses } from './committed-successes.js';
import { EventLoopMonitor } from './event-loop-monitor.js';
import { JobChanges, type JobChangesDeps } from './job-changes.js';
import { JobCheck } from './job-check.js';
import { JobCounts } from './job-counts.js';
import { JobRunner } from './job-runner.js';
import { LockLossDetector } from './lock-loss-detector.js';
import { LostTaskLog } from './lost-task-log.js';
import {
  delayUntilRetry,
  isOutcomeError,
  OutcomeTranslator,
  type OutcomeTranslatorDeps,
} from './outcome-translator.js';
import { failRefusedEnds } from './patched-ends.js';
import { LimitedIntake } from './patched-intake.js';
import { waitUntilRoom } from './patched-limit-wait.js';
import { endFutureWindows } from './patched-rate-window.js';
import { sweepRegularly } from './retention-sweep.js';
import { RetriesAfterCancel } from './retries-after-cancel.js';
import { StoredEnds } from './stored-ends.js';
import type { TaskCompletionDeps } from './task-completion.js';
import { UnusedStarts } from './unused-starts.js';

/** Milliseconds that methods may go on after their signals are aborted, before their tasks are given back. */
const ABORT_GRACE = 2_000;
/** Milliseconds in which the ends of the last tasks have to be stored and the connections closed. */
const CLOSE_GRACE = 3_000;

/**
 * Milliseconds after which a worker that reached the rate limit asks for a job again. Another worker may have given back what it
 * used up for a job that did not run, and an administrator may have changed the limit.
 */
const LOOK_AT_LIMIT_AGAIN_AFTER = 500;

export interface QueueConsumerDeps extends OutcomeTranslatorDeps, JobChangesDeps {
  readonly driver: Driver;
  readonly log: Pick<TaskLog, 'add'>;
  readonly wholes: Pick<FailedWholes, 'expect'>;
  /** Runs a task again whose cancelled run has ended, if a caller has asked for that. */
  readonly retryIfAsked: (id: string) => Promise<void>;
  /** `undefined` where the application has no transactions in the store. */
  readonly completion: TaskCompletionDeps | undefined;
  readonly counter: Pick<TaskCounter, 'count'> | undefined;
  /** Milliseconds after which another worker takes over the task of a worker that gave no sign of life. */
  readonly abandonedAfter: number;
  /** Called with errors outside of any call. */
  readonly onError: (error: Error) => void;
}

/** Takes jobs from one BullMQ queue, hands them to a handler as deliveries, and tells BullMQ the outcomes. */
export class QueueConsumer {
  private readonly logger = new PackageLogger();
  private readonly running = new RunningTasks();
  private readonly lostTasks = new LostTaskLog(this.logger);
  private readonly changes: JobChanges;
  private readonly lockLoss: LockLossDetector;
  private readonly worker: Worker;
  private readonly intake: LimitedIntake | undefined;
  private readonly eventLoop: EventLoopMonitor;
  private readonly cancelPoll: CancelPoll;
  private readonly translator: OutcomeTranslator;
  private readonly jobCheck: JobCheck;
  private readonly runner: JobRunner;
  private readonly retries: RetriesAfterCancel;
  private readonly ends: StoredEnds;
  private readonly stopSweeping: () => void;
  private readonly unusedStarts: UnusedStarts;
  private readonly grace = new GracePeriod();
  private stopping: Promise<void> | undefined;
  /** By `performance.now()`. */
  private runsSince = -Infinity;
  /** The last time at which all places were taken: a full worker does not ask for jobs. */
  private fullUntil = -Infinity;

  constructor(
    private readonly queue: string,
    private readonly options: ConsumerOptions,
    handler: DeliveryHandler,
    private readonly deps: QueueConsumerDeps,
  ) {
    const { driver, feed, flows, log, abandonedAfter } = deps;
    const { jobs, rateWindows } = driver;
    this.changes = new JobChanges(queue, deps);
    const onError = (error: Error) => this.handleError(error);
    this.retries = new RetriesAfterCancel(deps.retryIfAsked, onError);
    this.lockLoss = new LockLossDetector({
      queue,
      jobs,
      feed,
      log: this.lostTasks,
      onFound: (id, job) => {
        this.changes.foundEnd(id, job);
        if (readData(parse(job.json.data))?.cancelled?.again) this.retries.retryIfAsked(id);
      },
    });
    const { changes, lockLoss, lostTasks, retries, logger } = this;
    const successes = new CommittedSuccesses(queue, deps.completion);
    const counts = new JobCounts(queue, deps.counter, () => driver.clock.now());
    this.ends = new StoredEnds({ lockLoss, feed, changes, counts, successes, lostTasks, retries });
    this.runner = new JobRunner(queue, handler, {
      ...{ driver, feed, flows, log, changes, successes, lostTasks, logger, onError },
    });
    this.jobCheck = new JobCheck(queue, jobs, logger);
    this.worker = patchCreateJob(this.createWorker(options));
    const { places, concurrency } = options;
    this.intake = places && new LimitedIntake(this.worker, places, concurrency, () => driver.wake(queue));
    // A worker renews a lock when half of its time is over, so a block of the other half may lose it.
    this.eventLoop = new EventLoopMonitor(abandonedAfter / 2, (blocked) => this.warnOfBlock(blocked));
    const backend = this.worker.getBackend();
    this.cancelPoll = new CancelPoll(backend, this.running);
    this.translator = new OutcomeTranslator(deps, this.cancelPoll, this.changes, options.worker);
    failRefusedEnds(backend, (job, failure) => {
      this.logger.error(`Task ${job.name} (${job.id}) failed: ${failure.message}`);
      return this.translator.refusedEnd(job, failure);
    });
    endFutureWindows(backend, { queue, rateWindows, window: options.rateLimit?.per });
    const onRoom = waitUntilRoom(this.worker);
    this.unusedStarts = new UnusedStarts({ queue, backend, rateWindows, window: options.rateLimit?.per, onRoom });
    this.stopSweeping = sweepRegularly(driver, queue, options.keep, { onForbidden: deps.onError });
  }

  async start(): Promise<void> {
    // A worker that runs before its store is ready floods the event loop with errors.
    await this.worker.waitUntilReady();
    this.runsSince = performance.now();
    if (!this.stopping) this.worker.run().catch((error: unknown) => this.handleError(error as Error));
  }

  /** A caller of any process cancelled the task, if the message about it is true. */
  checkCancel(id: string): void {
    this.cancelPoll.check(id);
  }

  /**
   * A worker whose main loop stands still, for example because of a connection that is broken without an error, still seems to run
   * for BullMQ. Only the answers of the store show that it takes jobs.
   */
  silentFor(): number {
    if (this.stopping || !this.worker.isRunning()) return Infinity;
    if (this.isFull) return 0;
    const { fullUntil, runsSince } = this;
    // The answer to a stored end has the next job, so a busy worker does not ask for it.
    const storedAt = this.ends.lastAt;
    return performance.now() - Math.max(answeredAt(this.worker.getBackend()), storedAt, fullUntil, runsSince);
  }

  runningTasks(): readonly RunningTask[] {
    return this.running.all();
  }

  stop(grace: number): Promise<void> {
    this.grace.limit(grace);
    this.stopping ??= this.drain();
    return this.stopping;
  }

  private get isFull(): boolean {
    return this.intake?.isFull(this.running.size) ?? this.running.size >= this.options.concurrency;
  }

  private createWorker({ concurrency, rateLimit, batchSize, worker: name }: ConsumerOptions): Worker {
    const { driver, feed, abandonedAfter } = this.deps;
    const options: Parameters<Driver['createWorker']>[2] = {
      autorun: false,
      concurrency,
      runsBatches: batchSize !== undefined,
      // BullMQ stores it with each job that the worker takes.
      ...(name !== undefined && { name }),
      ...(rateLimit && { limiter: { max: rateLimit.max, duration: rateLimit.per } }),
      maximumRateLimitDelay: LOOK_AT_LIMIT_AGAIN_AFTER,
      lockDuration: abandonedAfter,
      stalledInterval: abandonedAfter / 2,
      // The handler decides how many deaths are too many: BullMQ would end the task without its callbacks.
      maxStalledCount: 1_000_000,
      runRetryDelay: 1_000,
      settings: { backoffStrategy: delayUntilRetry },
    };
    const worker = driver.createWorker(this.queue, (job, token) => this.process(job, token), options, feed);
    renewLocksByTimer(worker);
    pauseNoLongerThanWorker(worker);
    worker.on('error', (error) => this.handleError(error));
    worker.on('completed', (job, result) => this.ends.completed(job, result));
    worker.on('failed', (job, error) => job && this.ends.failed(job, error));
    worker.on('stalled', (id) => this.onStalled(id));
    worker.on('lockRenewalFailed', (ids) => this.onLocksLost(ids));
    return worker;
  }

  private async drain(): Promise<void> {
    this.cancelPoll.stop();
    this.stopSweeping();
    this.unusedStarts.stop();
    this.intake?.stop();
    // The worker takes no more jobs from here on. It is closed once its jobs have ended and the server answers.
    const closed = this.worker.close();
    if (!(await this.running.allEndWithin(this.grace))) {
      this.running.interrupt(new WorkerClosingError());
      await this.running.allEndWithin(ABORT_GRACE);
    }
    const leftOver = this.running.all();
    if (leftOver.length > 0) {
      this.logger.warn(
        `Could not give back ${listOf(leftOver)}: another process runs them after ${this.deps.abandonedAfter} ms.`,
      );
    }
    this.translator.abandon();
    await endsWithin(closed, CLOSE_GRACE);
    await endsWithin(this.retries.allEnd(), CLOSE_GRACE);
    this.eventLoop.stop();
    this.lostTasks.flush();
  }

  /** BullMQ's processor. @returns the result; every other outcome is thrown */
  private async process(job: Job, token: string | undefined): Promise<Json | undefined> {
    const task = this.running.add(job.id as string, job.name);
    const { name, processedOn, attemptsMade } = job;
    const isLost = () => task.lost;
    try {
      const outcome = await this.outcomeOf(job, task, token);
      this.eventLoop.measure();
      // Another process has the job or gets it: this error makes BullMQ leave it alone.
      if (task.lost) throw new bullmq.WaitingError();
      if (outcome.kind !== 'postponed' && outcome.kind !== 'waiting')
        this.lockLoss.willStoreEnd(task.id, { name, processedOn, attemptsMade });
      if (outcome.kind === 'failed') {
        const { failure } = outcome;
        await this.translator.untilStored(() => this.expectFailedWhole(job, failure), { isLost });
      }
      if (!task.hasStarted) await this.unusedStarts.giveBack(task.takenAt);
      if (outcome.kind === 'succeeded') return outcome.result;
      const { hasStarted, mark } = task;
      return await this.translator.translate(outcome, { job, token, hasStarted, mark, isLost });
    } catch (error) {
      if (isOutcomeError(error)) throw error;
      // The outcome could not be stored. That is not the task's fault, so the job stays and runs again.
      this.handleError(error as Error);
      throw new bullmq.WaitingError();
    } finally {
      if (this.isFull) this.fullUntil = performance.now();
      this.running.remove(task);
      if (task.interruption.reason instanceof TaskCancelledError) this.cancelPoll.forget(task.id);
    }
  }

  private outcomeOf(job: Job, task: RunningTask, token = ''): Outcome | Promise<Outcome> {
    // The worker took the job in the moment in which the application began to close.
    if (this.stopping) return { kind: 'postponed', delay: 0 };
    return this.jobCheck.refuse(job) ?? this.runner.run(job, task, token);
  }

  private async expectFailedWhole(job: Job, failure: TaskFailure): Promise<void> {
    const { id = '', data } = job;
    const whole = wholeOf(job);
    if (whole === undefined || !failsByItself(id, failure)) return;
    await this.deps.wholes.expect({ id, whole, reruns: readData(data)?.rerun?.count ?? 0 });
  }

  private onStalled(id: string): void {
    this.deps.feed.changed(id);
    void this.changes.lost(id);
  }

  private onLocksLost(ids: readonly string[]): void {
    for (const task of this.running.all()) {
      if (task.lost || !ids.includes(task.id)) continue;
      task.lost = true;
      this.lostTasks.addLost(task.id, task.name);
      const reason = new WorkerLostError('This process lost its lock on the task; another may run it now.');
      this.running.interrupt(reason, task.id);
    }
  }

  private handleError(error: Error): void {
    if (!this.lockLoss.handle(error)) this.deps.onError(error);
  }

  private warnOfBlock(milliseconds: number): void {
    const tasks: readonly RunningTask[] = this.running.all();
    if (tasks.length === 0) return;
    this.logger.warn(
      `The event loop was blocked for ${(milliseconds / 1000).toFixed(1)} s while these tasks ran: ${listOf(tasks)}. ` +
        `A process that gives no sign of life for ${this.deps.abandonedAfter / 1000} s counts as dead, and its tasks run again elsewhere. ` +
        'Work that takes so long without a pause belongs in a child process: @Task({ isolate: true }).',
    );
  }
}
