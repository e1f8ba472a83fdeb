import type { Job } from 'bullmq';
import { bullmq } from '../bullmq-package.js';
import type { Outcome } from '../../engine.js';
import type { CancelRequests } from './cancel-poll.js';
import type { ChangeFeed } from '../changes/change-feed.js';
import type { MemberFlows } from '../operations/member-flows.js';
import { writeFailure } from '../jobs/job-failure.js';
import type { Store } from '../driver.js';
import { waitForMembers } from './wait-for-members.js';

/** Stacks kept of a task's failed attempts. */
const STACKS_KEPT = 3;
/** Between two looks at members that BullMQ does not count. */
const LOOK_AGAIN = 500;
/** Between two attempts to give a task back while the server cannot be reached. */
const GIVE_BACK_AGAIN = 500;

export interface SettlerSurroundings {
  readonly store: Pick<Store, 'isOutage'>;
  readonly feed: ChangeFeed;
  readonly flows: MemberFlows;
  /** Cancels a task and its members. */
  readonly cancel: (id: string, reason: string | undefined) => Promise<unknown>;
}

/** A result is returned; all else is said by what is thrown. */
type Unsuccessful = Exclude<Outcome, { kind: 'succeeded' }>;

/** Says in BullMQ's terms how a run ended that gave no result. */
export class OutcomeSettler {
  private left = false;

  constructor(
    private readonly around: SettlerSurroundings,
    private readonly requests: CancelRequests,
  ) {}

  /** Nobody waits any more for what is not given back yet: another process finds it. */
  leave(): void {
    this.left = true;
  }

  /** @throws a {@link isVerdict verdict}, or what went wrong while it was said */
  async settle(outcome: Unsuccessful, job: Job, token: string | undefined): Promise<never> {
    switch (outcome.kind) {
      case 'failed':
        job.opts.stackTraceLimit = STACKS_KEPT;
        throw new TaskFailed(writeFailure(outcome.failure));
      case 'retry':
        // The executor counted the attempts; BullMQ is only to put the job back.
        job.opts.attempts = job.attemptsMade + 2;
        job.opts.backoff = { type: 'decided' };
        job.opts.stackTraceLimit = STACKS_KEPT;
        throw new AttemptFailed(writeFailure(outcome.failure), outcome.delay);
      case 'postponed':
        return this.postpone(job, outcome.delay, token);
      case 'waiting':
        if (await waitForMembers(job, token, outcome, this.around.flows)) {
          await this.cancelIfAsked(job);
          this.around.feed.changed(job.id as string);
          throw new bullmq.WaitingChildrenError();
        }
        // With nothing new to wait for, the members it knows of are about to be counted: it looks again soon.
        return this.postpone(job, outcome.members.length > 0 ? 0 : LOOK_AGAIN, token);
    }
  }

  private async postpone(job: Job, delay: number, token: string | undefined): Promise<never> {
    await this.giveBack(() => (delay > 0 ? job.moveToDelayed(Date.now() + delay, token) : job.moveToWait(token)));
    this.around.feed.changed(job.id as string);
    throw delay > 0 ? new bullmq.DelayedError() : new bullmq.WaitingError();
  }

  /** Somebody may have asked for it after the run had ended, when nobody listened any more. */
  private async cancelIfAsked(job: Job): Promise<void> {
    const id = job.id as string;
    const reason = await this.requests.reasonFor(id);
    if (reason !== undefined) await this.around.cancel(id, reason || undefined);
  }

  /** For as long as it takes to reach the server. */
  private async giveBack(move: () => Promise<unknown>): Promise<void> {
    for (;;) {
      try {
        await move();
        return;
      } catch (error) {
        if (this.left || !this.around.store.isOutage(error)) throw error;
        await new Promise((resolve) => setTimeout(resolve, GIVE_BACK_AGAIN));
      }
    }
  }
}

/** Whether an error says how a run ended, and not that something went wrong. */
export function isVerdict(error: unknown): boolean {
  return VERDICTS.some((verdict) => error instanceof verdict);
}

/** BullMQ's `backoffStrategy`: milliseconds until the next attempt. */
export function delayUntilRetry(_attempts: number, _type?: string, error?: Error): number {
  return error instanceof AttemptFailed ? error.delay : 0;
}

/** No attempt follows. */
class TaskFailed extends bullmq.UnrecoverableError {
  constructor({ message, stack }: { message: string; stack: string }) {
    super(message);
    this.stack = stack;
  }
}

/** Another attempt follows after `delay` milliseconds. */
class AttemptFailed extends Error {
  constructor(
    { message, stack }: { message: string; stack: string },
    readonly delay: number,
  ) {
    super(message);
    this.stack = stack;
  }
}

const VERDICTS = [AttemptFailed, TaskFailed, bullmq.DelayedError, bullmq.WaitingError, bullmq.WaitingChildrenError];
