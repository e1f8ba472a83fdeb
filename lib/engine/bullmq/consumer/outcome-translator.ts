import type { Job } from 'bullmq';
import { ATTEMPTS_KEPT } from '../../attempt.js';
import { EngineUnavailableError } from '../../../errors.js';
import { isCancellation } from '../../failures.js';
import type { Outcome } from '../../ports/worker-port.js';
import type { TaskFailure } from '../../task.js';
import type { WorkflowNote } from '../../workflow-note.js';
import { bullmq } from '../bullmq-package.cjs';
import type { ChangeFeed } from '../changes/change-feed.js';
import type { Driver } from '../driver.js';
import { shortenStacks } from '../jobs/job-attempts.js';
import { attemptOf, parse, readData, type JobData } from '../jobs/job-data.js';
import { formatOf, FORMAT } from '../jobs/unreadable-job.js';
import { writeFailure } from '../jobs/job-failure.js';
import type { MemberFlows } from '../operations/member-flows.js';
import type { CancelPoll } from './cancel-poll.js';
import type { JobChanges } from './job-changes.js';
import { waitForMembers, withLook, withReturn, type JobRun } from './wait-for-members.js';

/** The pause before a task reads its members again, when BullMQ has not counted the last of them yet. */
const READ_MEMBERS_AGAIN_AFTER = 500;
/** The pause between two attempts to store an outcome while the server cannot be reached, or takes no writes. */
const STORE_AGAIN_AFTER = 500;

export interface OutcomeTranslatorDeps {
  readonly driver: Pick<Driver, 'isOutage' | 'clock' | 'jobs'>;
  readonly feed: ChangeFeed;
  readonly flows: MemberFlows;
  /** Cancels a task and its members. */
  readonly cancel: (id: string, reason: string | undefined) => Promise<unknown>;
}

/** A result is returned to BullMQ; every other outcome is thrown. */
type Unsuccessful = Exclude<Outcome, { kind: 'succeeded' }>;
type Failed = Extract<Outcome, { kind: 'failed' | 'retry' }>;

/** Translates the outcome of a run without a result into what BullMQ understands: an error of the right class. */
export class OutcomeTranslator {
  private isAbandoning = false;

  constructor(
    private readonly deps: OutcomeTranslatorDeps,
    private readonly cancelPoll: CancelPoll,
    private readonly changes: Pick<JobChanges, 'retrying'>,
    /** The id of this process in the registry of workers. */
    private readonly worker: string | undefined,
  ) {}

  /** Gives no more tasks back: the process ends, and another process finds them. */
  abandon(): void {
    this.isAbandoning = true;
  }

  /** @throws an {@link isOutcomeError outcome error}; any other error means that the outcome could not be stored */
  async translate(outcome: Unsuccessful, run: JobRun): Promise<never> {
    const { job } = run;
    switch (outcome.kind) {
      case 'failed':
        throw new TaskFailed(this.storedFailure(outcome, run));
      case 'retry':
        // The executor counts the attempts, so BullMQ always has one left and puts the job back.
        job.opts.attempts = job.attemptsMade + 2;
        job.opts.backoff = { type: 'decided' };
        throw new AttemptFailed(this.storedFailure(outcome, run), outcome.delay);
      case 'postponed':
        return this.postpone(run, outcome.delay, outcome.note);
      case 'waiting':
        await this.restoreData(run);
        if (await waitForMembers(run, outcome, this.deps.flows, (step) => this.untilStored(step, run))) {
          await this.cancelIfRequested(job);
          this.deps.feed.changed(job.id as string);
          throw new bullmq.WaitingChildrenError();
        }
        // Without new members, BullMQ is about to count the last end: the task reads its members again soon.
        return this.postpone(run, outcome.members.length > 0 ? 0 : READ_MEMBERS_AGAIN_AFTER);
    }
  }

  /** The error that makes a job fail whose success the store refuses. See {@link failRefusedEnds}. */
  refusedEnd(job: Job, failure: TaskFailure): Error {
    return new TaskFailed(this.storedFailure({ kind: 'failed', failure }, { job, token: undefined, hasStarted: true }));
  }

  /** The failure with what the job keeps of the attempt. BullMQ adds it to the stacks of the job. */
  private storedFailure(
    { kind, failure }: Failed,
    { job, hasStarted, mark }: JobRun,
  ): { message: string; stack: string } {
    job.opts.stackTraceLimit = ATTEMPTS_KEPT;
    job.stacktrace = shortenStacks(job.stacktrace);
    const ended = this.deps.driver.clock.now();
    const attempt = {
      number: attemptOf(job),
      started: job.processedOn ?? ended,
      ended,
      outcome: isCancellation(failure) ? ('cancelled' as const) : kind,
      worker: this.worker,
      lost: job.stalledCounter,
      ...(mark !== undefined && { mark }),
    };
    const run = isCancellation(failure) ? (readData(job.data)?.rerun?.count ?? 0) : undefined;
    return writeFailure(failure, hasStarted ? attempt : null, run);
  }

  private async postpone(run: JobRun, delay: number, note?: WorkflowNote): Promise<never> {
    const { job, token, hasStarted } = run;
    if (note) await this.restoreData(run);
    const data = dataAfter(run, note);
    await this.untilStored(async () => {
      if (data) await job.updateData(data);
      await (delay > 0 ? job.moveToDelayed(Date.now() + delay, token) : job.moveToWait(token));
    }, run);
    if (hasStarted) this.changes.retrying(job);
    // A mark that a caller set meanwhile was overwritten by the data.
    if (data) await this.cancelIfRequested(job);
    this.deps.feed.changed(job.id as string);
    throw delay > 0 ? new bullmq.DelayedError() : new bullmq.WaitingError();
  }

  /** The method may have changed its arguments, which are those of the job. So the data that is stored again is read once more. */
  private async restoreData(run: JobRun): Promise<void> {
    const { job, hasStarted } = run;
    if (!hasStarted) return;
    const ref = { queue: job.queueName, id: job.id as string };
    const [found] = await this.untilStored(() => this.deps.driver.jobs.find([ref]), run);
    const data = readData(parse(found?.json.data));
    if (data) job.data = data;
  }

  /** A request that came after the run had ended interrupted nothing. */
  private async cancelIfRequested(job: Job): Promise<void> {
    const id = job.id as string;
    const reason = await this.cancelPoll.reasonFor(id);
    if (reason !== undefined) await this.deps.cancel(id, reason || undefined);
  }

  /** Runs a step of storing an outcome until the store takes it, this process loses its lock on the job, or it ends. */
  async untilStored<T>(step: () => Promise<T>, { isLost }: Pick<JobRun, 'isLost'>): Promise<T> {
    for (;;) {
      try {
        return await step();
      } catch (error) {
        const isOutage = error instanceof EngineUnavailableError || this.deps.driver.isOutage(error);
        if (this.isAbandoning || !isOutage || isLost?.()) throw error;
        await new Promise((resolve) => setTimeout(resolve, STORE_AGAIN_AFTER));
      }
    }
  }
}

/** What a postponed job has to store, if it is more than before. What another version stored stays as it is. */
function dataAfter({ job, hasStarted }: JobRun, note: WorkflowNote | undefined): JobData | undefined {
  if (note) return withLook({ ...job.data, note }, hasStarted);
  if (hasStarted || formatOf(job.data) > FORMAT) return undefined;
  const data = readData(job.data);
  return data && withReturn(data);
}

/** Whether an error tells BullMQ the outcome of a run. Any other error is a fault. */
export function isOutcomeError(error: unknown): boolean {
  return OUTCOME_ERRORS.some((type) => error instanceof type);
}

/** BullMQ's `backoffStrategy`: milliseconds until the next attempt. */
export function delayUntilRetry(_attempts: number, _type?: string, error?: Error): number {
  return error instanceof AttemptFailed ? error.delay : 0;
}

/** The task failed and runs no more. */
class TaskFailed extends bullmq.UnrecoverableError {
  constructor({ message, stack }: { message: string; stack: string }) {
    super(message);
    this.stack = stack;
  }
}

/** The attempt failed, and the next one starts after `delay` milliseconds. */
class AttemptFailed extends Error {
  constructor(
    { message, stack }: { message: string; stack: string },
    readonly delay: number,
  ) {
    super(message);
    this.stack = stack;
  }
}

const OUTCOME_ERRORS = [
  AttemptFailed,
  TaskFailed,
  bullmq.DelayedError,
  bullmq.WaitingError,
  bullmq.WaitingChildrenError,
];
