import { failureOf } from '../engine/failures.js';
import type { Delivery } from '../engine/ports/worker-port.js';
import type { TaskFailure } from '../engine/task.js';
import {
  InvalidArgumentsError,
  TaskCancelledError,
  TaskTimeoutError,
  WorkerClosingError,
  WorkerLostError,
} from '../errors.js';
import type { TaskDefinition } from '../tasks/task-definition.js';
import type { RunOutcome } from '../workflows/run-outcome.js';
import { RefusedCall } from './enhancers/refused-call.js';
import { toFailure } from './failure.js';
import { retryDelay } from './retry-policy.js';
import { BecomeAnother, NoMoreAttempts, RunAgainLater } from './run-decisions.js';

/** A run that ended with an error. */
export interface FailedRun {
  readonly delivery: Delivery;
  readonly definition: TaskDefinition;
  /** What the method, or anything around it, threw. */
  readonly thrown: unknown;
  /** The reason why the run was interrupted; `undefined` when it was not. */
  readonly interruption: unknown;
  /** Called when `retryOn` or `giveUpOn` throws instead of deciding. */
  readonly onPredicateError?: (error: unknown) => void;
}

interface OutcomeRule {
  /** The condition in words, as docs/architecture.md lists it. */
  readonly when: string;
  readonly applies: (run: FailedRun) => boolean;
  readonly outcome: (run: FailedRun) => RunOutcome;
}

/** The table that turns an error into an outcome. The first rule that applies decides, so their order matters. */
export const OUTCOME_RULES: readonly OutcomeRule[] = [
  {
    when: 'this process lost its lock on the task',
    applies: ({ interruption }) => interruption instanceof WorkerLostError,
    outcome: runAgain,
  },
  {
    when: 'this process closes, and the task is delivered at least once',
    applies: ({ interruption, definition }) =>
      interruption instanceof WorkerClosingError && definition.delivery === 'at-least-once',
    outcome: runAgain,
  },
  {
    when: 'this process closes, and the task is delivered at most once',
    applies: ({ interruption }) => interruption instanceof WorkerClosingError,
    outcome: () => fail(lostAtMostOnce('The process that ran the task closed before it ended.')),
  },
  {
    when: 'a caller cancelled the task',
    applies: ({ interruption }) => interruption instanceof TaskCancelledError,
    outcome: ({ interruption }) => fail({ ...toFailure(interruption), exposable: true }),
  },
  {
    when: 'the method called `replaceWith()`',
    applies: (run) => errorOf(run) instanceof BecomeAnother,
    outcome: ({ thrown }) => ({ kind: 'replaced', plan: (thrown as BecomeAnother).signature.plan }),
  },
  {
    when: 'the method called `retry({ in })`',
    applies: (run) => errorOf(run) instanceof RunAgainLater,
    outcome: ({ thrown }) => ({ kind: 'postponed', delay: (thrown as RunAgainLater).delay, asked: true }),
  },
  {
    when: 'the method called `fail()`',
    applies: (run) => errorOf(run) instanceof NoMoreAttempts,
    outcome: (run) => fail(failure(run)),
  },
  {
    when: 'a guard, a pipe or the schema refused the call',
    applies: (run) => errorOf(run) instanceof RefusedCall || errorOf(run) instanceof InvalidArgumentsError,
    outcome: (run) => fail(failure(run)),
  },
  {
    when: 'no attempt is left',
    applies: ({ delivery, definition }) => delivery.attempt >= attemptsOf(delivery, definition),
    outcome: (run) => fail(failure(run)),
  },
  {
    when: '`retryOn` or `giveUpOn` forbids another attempt',
    applies: (run) => !mayRetry(run),
    outcome: (run) => fail(failure(run)),
  },
  {
    when: 'in every other case',
    applies: () => true,
    outcome: (run) => ({ kind: 'retry', failure: failure(run), delay: delayOf(run) }),
  },
];

/** The outcome of a run that ended with an error. */
export function outcomeOfError(run: FailedRun): RunOutcome {
  const rule = OUTCOME_RULES.find(({ applies }) => applies(run)) as OutcomeRule;
  return rule.outcome(run);
}

/** Attempts in all: the call's own, else those of the declaration. */
export function attemptsOf(delivery: Delivery, definition: TaskDefinition): number {
  return delivery.options.attempts ?? definition.retries + 1;
}

/** @param what what happened to the process that ran the task */
export function lostAtMostOnce(what: string): TaskFailure {
  return failureOf(new WorkerLostError(`${what} It is not run again, for its delivery is at-most-once.`));
}

function runAgain(): RunOutcome {
  return { kind: 'postponed', delay: 0 };
}

function fail(failed: TaskFailure): RunOutcome {
  return { kind: 'failed', failure: failed };
}

/** An attempt that ran out of time failed for that reason, whatever the method threw when its signal was aborted. */
function errorOf({ thrown, interruption }: FailedRun): unknown {
  return interruption instanceof TaskTimeoutError ? interruption : thrown;
}

/** The error that the task fails with. */
function causeOf(run: FailedRun): unknown {
  const error = errorOf(run);
  return error instanceof RefusedCall ? error.cause : error;
}

/** A predicate that throws has not decided, so the task is retried as its declaration says. */
function mayRetry(run: FailedRun): boolean {
  try {
    return run.definition.mayRetry(causeOf(run));
  } catch (error) {
    run.onPredicateError?.(error);
    return true;
  }
}

function failure(run: FailedRun): TaskFailure {
  const cause = causeOf(run);
  if (!(cause instanceof NoMoreAttempts)) return toFailure(cause);
  return cause.instead ? toFailure(cause.instead.error) : { ...toFailure(cause), exposable: true };
}

function delayOf({ delivery, definition }: FailedRun): number {
  return retryDelay(delivery.options.backoff ?? definition.backoff, delivery.attempt);
}
