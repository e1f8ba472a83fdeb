import type { Job, Worker } from 'bullmq';
import { endsWithin } from '../../../concurrency.js';
import { EngineUnavailableError, TaskCancelledError, WorkerClosingError, WorkerLostError } from '../../../errors.js';
import { cancellation, DEATHS_ALLOWED, failsByItself, isCancellation } from '../../failures.js';
import { GracePeriod } from '../../grace-period.js';
import type { Json } from '../../json.js';
import { writeLogLine } from '../../log-line.js';
import type { TaskCounter } from '../../statistics/task-counter.js';
import type { TaskFailure } from '../../task.js';
import type { CompletedTask, ConsumerOptions, Delivery, DeliveryHandler, Outcome } from '../../ports/worker-port.js';
import { bareError } from '../../bare-error.js';
import { bullmq } from '../bullmq-package.cjs';
import type { Driver } from '../driver.js';
import { renewLocksByTimer } from '../patched-lock-renewal.js';
import { parse, readData, type FailureMark, type JobData, type JobOptions } from '../jobs/job-data.js';
import { isAbandonment, readStack } from '../jobs/job-failure.js';
import { writeSuccess } from '../jobs/job-success.js';
import { wholeOf } from '../jobs/whole-of-job.js';
import type { FailedWholes } from '../operations/failed-wholes.js';
import { rootOf } from '../operations/member-flows.js';
import type { TaskLog } from '../operations/task-log.js';
import { patchCreateJob } from '../patched-create-job.js';
import { answeredAt } from '../patched-worker-backend.js';
import { CancelPoll } from './cancel-poll.js';
import { LimitedIntake } from './patched-intake.js';
import { EventLoopMonitor } from './event-loop-monitor.js';
import { JobCounts } from './job-counts.js';
import { JobChanges, type JobChangesDeps } from './job-changes.js';
import { JobCheck } from './job-check.js';
import { toDelivery } from './job-to-delivery.js';
import { isLockLoss, LockLossDetector } from './lock-loss-detector.js';
import { LostTaskLog } from './lost-task-log.js';
import {
  delayUntilRetry,
  isOutcomeError,
  OutcomeTranslator,
  type OutcomeTranslatorDeps,
} from './outcome-translator.js';
import { failRefusedEnds } from './patched-ends.js';
import { waitUntilRoom } from './patched-limit-wait.js';
import { endFutureWindows } from './patched-rate-window.js';
import { sweepRegularly } from './retention-sweep.js';
import { TaskCompletion, type TaskCompletionDeps } from './task-completion.js';
import { UnusedStarts } from './unused-starts.js';
import { withLook } from './wait-for-members.js';
import { listOf, RunningTasks, type RunningTask } from '../../running-tasks.js';
import { PackageLogger } from '../../../package-logger.js';

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
  private readonly counts: JobCounts;
  private readonly translator: OutcomeTranslator;
  private readonly jobCheck: JobCheck;
  private readonly stopSweeping: () => void;
  private readonly unusedStarts: UnusedStarts;
  private readonly grace = new GracePeriod();
  private stopping: Promise<void> | undefined;
  /** The tasks whose successes were committed before their ends are stored. */
  private readonly completed = new Set<string>();
  /** The looks whether a task has to run again whose cancelled run has ended. */
  private readonly looks = new Set<Promise<void>>();
  /** By `performance.now()`. */
  private runsSince = -Infinity;
  /** The last time at which an end was stored. The answer has the next job, so a busy worker does not ask for it. */
  private storedAt = -Infinity;
  /** The last time at which all places were taken: a full worker does not ask for jobs. */
  private fullUntil = -Infinity;

  constructor(
    private readonly queue: string,
    private readonly options: ConsumerOptions,
    private readonly handler: DeliveryHandler,
    private readonly deps: QueueConsumerDeps,
  ) {
    const { driver, feed, abandonedAfter } = deps;
    const { jobs, rateWindows } = driver;
    this.changes = new JobChanges(queue, deps);
    this.counts = new JobCounts(queue, deps.counter, () => driver.clock.now());
    this.lockLoss = new LockLossDetector({
      queue,
      jobs,
      feed,
      log: this.lostTasks,
      onFound: (id, job) => {
        this.changes.foundEnd(id, job);
        if (readData(parse(job.json.data))?.cancelled?.again) this.retryIfAsked(id);
      },
    });
    this.jobCheck = new JobCheck(queue, jobs, this.logger);
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
    const { fullUntil, storedAt, runsSince } = this;
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
    worker.on('error', (error) => this.handleError(error));
    worker.on('completed', (job, result) => this.onCompleted(job, result));
    worker.on('failed', (job, error) => job && this.onFailed(job, error));
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
    await endsWithin(Promise.allSettled(this.looks), CLOSE_GRACE);
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
    return this.jobCheck.refuse(job) ?? this.run(job, task, token);
  }

  private async run(job: Job, task: RunningTask, token: string): Promise<Outcome> {
    const id = job.id as string;
    if ((job.opts as JobOptions).task?.uniqueWhilePending) await job.removeDeduplicationKey();
    this.deps.feed.changed(id);
    const data = readData(job.data);
    if (data?.inbox !== undefined) this.deps.feed.taken(id, data.inbox);
    // Only a job that was taken before can have a success whose end is not stored.
    const completion =
      job.attemptsStarted > 1 ? await this.completionOf(job, token) : this.completionWith(job, token, undefined);
    if (data?.cancelled && !completion?.earlier) {
      const failure = cancellation(data.cancelled.reason);
      // The same line as for a task that was cancelled while it ran.
      this.logger.log(`Task ${job.name} (${id}) was cancelled: ${failure.message}`);
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
        this.changes.started(job);
      },
    });
    if (delivery.abandoned > DEATHS_ALLOWED) this.lostTasks.addGivenUp(id, job.name);
    const outcome = await this.handle(delivery);
    if (completion?.earlier || (completion?.isUsed && (await completion.settle()))) this.completed.add(id);
    return outcome;
  }

  /** The task has failed before, because of a member, and its listeners know. */
  private async clearAway(job: Job, data: JobData, failure: TaskFailure): Promise<Outcome> {
    const { at } = data.failed as FailureMark;
    // Version 0.1.0 would not remove a mark with the failure when it runs the task again.
    await job.updateData(withLook({ ...data, failed: { at } }, false));
    return { kind: 'failed', failure };
  }

  private async expectFailedWhole(job: Job, failure: TaskFailure): Promise<void> {
    const { id = '', data } = job;
    const whole = wholeOf(job);
    if (whole === undefined || !failsByItself(id, failure)) return;
    await this.deps.wholes.expect({ id, whole, reruns: readData(data)?.rerun?.count ?? 0 });
  }

  private async completionOf(job: Job, token: string): Promise<TaskCompletion | undefined> {
    const earlier = await this.deps.completion?.completions.find({ queue: this.queue, id: job.id as string });
    return this.completionWith(job, token, earlier);
  }

  private completionWith(job: Job, token: string, earlier: CompletedTask | undefined): TaskCompletion | undefined {
    const { completion } = this.deps;
    return completion && new TaskCompletion(completion, { queue: this.queue, id: job.id as string }, token, earlier);
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
      this.logger.error(`Task ${delivery.name} (${delivery.id}) failed: ${message}`, stack);
      return { kind: 'failed', failure: { name, message, ...(stack !== undefined && { stack }) } };
    }
  }

  private onCompleted(job: Job, result: unknown): void {
    const id = job.id as string;
    this.storedAt = performance.now();
    this.lockLoss.hasStoredEnd(id);
    this.deps.feed.changed(id, true, () => writeSuccess(job, result));
    this.changes.succeeded(job, result);
    this.counts.succeeded(job);
    if (this.completed.delete(id)) void this.forgetCompletion(id);
    this.announceToRoot(job);
  }

  /** A row that stays is removed later. */
  private async forgetCompletion(id: string): Promise<void> {
    await this.deps.completion?.completions.forget({ queue: this.queue, id }).catch(() => undefined);
  }

  private onFailed(job: Job, error: Error): void {
    const id = job.id as string;
    this.storedAt = performance.now();
    this.lockLoss.hasStoredEnd(id);
    // `finishedOn` is set only when no attempt is left.
    this.deps.feed.changed(id, job.finishedOn !== undefined);
    // The process that failed the task because of a member has told its listeners.
    const isKnown = readData(job.data)?.failed !== undefined;
    if (job.finishedOn === undefined) this.changes.retrying(job);
    else if (!isKnown) this.changes.ended(job);
    if (!isKnown) this.counts.failed(job);
    this.announceToRoot(job);
    if (isAbandonment(error.message)) this.lostTasks.addGivenUp(id, job.name);
    if (job.finishedOn !== undefined && mayRunAgain(job, error)) this.retryIfAsked(id);
  }

  private retryIfAsked(id: string): void {
    const look = this.deps
      .retryIfAsked(id)
      .catch((error: unknown) => this.handleError(error as Error))
      .finally(() => this.looks.delete(look));
    this.looks.add(look);
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

  /** The watchers of a workflow watch its root. */
  private announceToRoot({ id, data }: Job): void {
    const root = rootOf(data);
    if (root !== undefined && root !== id) this.deps.feed.changed(root);
  }

  /** Stores progress or a log line. An outage must not make the task fail for that. */
  private async ignoreOutage(store: () => Promise<void>): Promise<void> {
    try {
      await store();
    } catch (error) {
      // The line was tried for as long as a call may take, and the outage is logged.
      if (error instanceof EngineUnavailableError) return;
      if (!this.deps.driver.isOutage(error) && !isLockLoss(error as Error)) throw bareError(error);
      this.handleError(error as Error);
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

/**
 * Whether the job was cancelled while it ran. A caller cannot have asked to run one again that had the mark when this worker took it:
 * before that, the job could be run again at once.
 */
function mayRunAgain({ data }: Job, error: Error): boolean {
  const mark = readData(data)?.cancelled;
  return isCancellation(readStack(error.stack ?? '').failure) && (!mark || mark.again === true);
}
