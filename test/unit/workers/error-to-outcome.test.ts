import { ForbiddenException } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import type { CallOptions } from '../../../lib/engine/task.js';
import {
  InvalidArgumentsError,
  TaskCancelledError,
  TaskTimeoutError,
  WorkerClosingError,
  WorkerLostError,
} from '../../../lib/errors.js';
import { defineFrom } from '../../../lib/tasks/task-definition.js';
import type { TaskOptions } from '../../../lib/tasks/task-options.js';
import { RefusedCall } from '../../../lib/workers/enhancers/refused-call.js';
import { attemptsOf, OUTCOME_RULES, outcomeOfError, type FailedRun } from '../../../lib/workers/error-to-outcome.js';
import { BecomeAnother, NoMoreAttempts, RunAgainLater } from '../../../lib/workers/run-decisions.js';
import type { RunOutcome } from '../../../lib/workflows/run-outcome.js';
import type { Signature } from '../../../lib/workflows/signature.js';
import { deliveryOf } from '../../support/delivery.js';

const PLAN = { task: 'Reports.render', queue: 'default', args: [] };
const AGAIN = { kind: 'postponed', delay: 0 } as const;

const lostLock = new WorkerLostError('This process lost its lock on the task.');
const closing = new WorkerClosingError();
const cancelled = new TaskCancelledError('enough');
const timedOut = new TaskTimeoutError('The attempt took longer than 10 ms.');
const replaceWith = new BecomeAnother({ plan: PLAN } as unknown as Signature<void>);
const retryIn = new RunAgainLater(30_000);
const failNow = new NoMoreAttempts('The card was declined.');
const refused = new RefusedCall(new ForbiddenException('not yours'));
const invalid = new InvalidArgumentsError('args[0]: too long');
const bug = new TypeError('x is not a function');

/** One run that ended with an error: by default an error of the method, with attempts left. */
interface Run {
  readonly thrown?: unknown;
  readonly interruption?: unknown;
  /** The declaration of the task; two retries after a second, unless it says otherwise. */
  readonly task?: TaskOptions;
  readonly options?: CallOptions;
  readonly attempt?: number;
}

function failedRun({ thrown = bug, interruption, task, options = {}, attempt = 1 }: Run): FailedRun {
  const declared = { retries: 2, backoff: { type: 'fixed', delay: 1_000, jitter: 0 }, ...task } as const;
  return {
    thrown,
    interruption,
    delivery: deliveryOf({ options, attempt }),
    definition: defineFrom(declared, {}, 'Reports.build'),
  };
}

const failedWith = (failure: object) => ({ kind: 'failed', failure: expect.objectContaining(failure) as object });

/** One row for each rule, in the order of the rules. */
const ROWS: readonly [rule: string, run: Run, outcome: object][] = [
  ['this process lost its lock on the task', { interruption: lostLock }, AGAIN],
  [
    'this process closes, and the task is delivered at least once',
    { interruption: closing, task: { delivery: 'at-least-once' } },
    AGAIN,
  ],
  [
    'this process closes, and the task is delivered at most once',
    { interruption: closing, task: { delivery: 'at-most-once' } },
    failedWith({ name: 'WorkerLostError', code: 'WORKER_LOST', message: expect.stringContaining('at-most-once') }),
  ],
  [
    'a caller cancelled the task',
    { interruption: cancelled },
    failedWith({ name: 'TaskCancelledError', code: 'TASK_CANCELLED', message: 'enough', exposable: true }),
  ],
  ['the method called `replaceWith()`', { thrown: replaceWith }, { kind: 'replaced', plan: PLAN }],
  ['the method called `retry({ in })`', { thrown: retryIn }, { kind: 'postponed', delay: 30_000, asked: true }],
  [
    'the method called `fail()`',
    { thrown: failNow },
    failedWith({ name: 'TaskFailedError', message: 'The card was declined.', exposable: true }),
  ],
  [
    'a guard, a pipe or the schema refused the call',
    { thrown: refused },
    failedWith({ name: 'ForbiddenException', message: 'not yours', exposable: true }),
  ],
  ['no attempt is left', { attempt: 3 }, failedWith({ name: 'TypeError', message: 'x is not a function' })],
  [
    '`retryOn` or `giveUpOn` forbids another attempt',
    { task: { giveUpOn: TypeError } },
    failedWith({ name: 'TypeError', message: 'x is not a function' }),
  ],
  [
    'in every other case',
    {},
    {
      kind: 'retry',
      delay: 1_000,
      failure: expect.objectContaining({ name: 'TypeError', message: 'x is not a function', stack: bug.stack }),
    },
  ],
];

it('has a row for each rule', () => {
  expect(ROWS.map(([rule]) => rule)).toEqual(OUTCOME_RULES.map(({ when }) => when));
});

it.each(ROWS)('when %s', (rule, run, outcome) => {
  const failed = failedRun(run);
  expect(OUTCOME_RULES.find(({ applies }) => applies(failed))?.when).toBe(rule);
  expect(outcomeOfError(failed)).toEqual(outcome);
});

describe('of two rules', () => {
  const postponed: RunOutcome = { kind: 'postponed', delay: 30_000, asked: true };
  const failed = (name: string) => failedWith({ name });

  it.each<[first: string, second: string, run: Run, outcome: object]>([
    ['a lost lock', 'replaceWith()', { interruption: lostLock, thrown: replaceWith }, AGAIN],
    ['a lost lock', 'fail()', { interruption: lostLock, thrown: failNow }, AGAIN],
    [
      'a lost lock',
      'at-most-once, because another process may run the task',
      { interruption: lostLock, task: { delivery: 'at-most-once' } },
      AGAIN,
    ],
    ['a lost lock', 'the last attempt', { interruption: lostLock, attempt: 3 }, AGAIN],
    ['closing', 'fail()', { interruption: closing, thrown: failNow }, AGAIN],
    ['closing', 'retry({ in })', { interruption: closing, thrown: retryIn }, AGAIN],
    ['closing', 'the last attempt', { interruption: closing, attempt: 3 }, AGAIN],
    [
      'closing at most once',
      'replaceWith()',
      { interruption: closing, thrown: replaceWith, task: { delivery: 'at-most-once' } },
      failed('WorkerLostError'),
    ],
    ['a cancellation', 'replaceWith()', { interruption: cancelled, thrown: replaceWith }, failed('TaskCancelledError')],
    ['a cancellation', 'retry({ in })', { interruption: cancelled, thrown: retryIn }, failed('TaskCancelledError')],
    ['a cancellation', 'fail()', { interruption: cancelled, thrown: failNow }, failed('TaskCancelledError')],
    ['a cancellation', 'an attempt that is left', { interruption: cancelled }, failed('TaskCancelledError')],
    ['replaceWith()', 'the last attempt', { thrown: replaceWith, attempt: 3 }, { kind: 'replaced', plan: PLAN }],
    ['retry({ in })', 'the last attempt', { thrown: retryIn, attempt: 3 }, postponed],
    ['retry({ in })', 'giveUpOn', { thrown: retryIn, task: { giveUpOn: () => true } }, postponed],
    ['fail()', 'an attempt that is left', { thrown: failNow }, failed('TaskFailedError')],
    ['fail()', 'retryOn', { thrown: failNow, task: { retryOn: NoMoreAttempts } }, failed('TaskFailedError')],
    ['a refusal', 'retryOn', { thrown: refused, task: { retryOn: ForbiddenException } }, failed('ForbiddenException')],
    ['a refusal of the schema', 'an attempt that is left', { thrown: invalid }, failed('InvalidArgumentsError')],
    ['the last attempt', 'retryOn', { attempt: 3, task: { retryOn: TypeError } }, failed('TypeError')],
    ['giveUpOn', 'retryOn', { task: { retryOn: TypeError, giveUpOn: TypeError } }, failed('TypeError')],
  ])('%s counts more than %s', (_first, _second, run, outcome) => {
    expect(outcomeOfError(failedRun(run))).toEqual(outcome);
  });
});

describe('an attempt that took too long', () => {
  const timeout = { name: 'TaskTimeoutError', code: 'TASK_TIMEOUT', message: timedOut.message };

  it.each([
    ['the reason of its signal', timedOut],
    ['another error, when its signal was aborted', bug],
    ['what fail() throws', failNow],
    ['a refusal', refused],
  ])('is retried with the timeout for its error, though the method threw %s', (_, thrown) => {
    expect(outcomeOfError(failedRun({ thrown, interruption: timedOut }))).toEqual({
      kind: 'retry',
      delay: 1_000,
      failure: expect.objectContaining(timeout),
    });
  });

  it('fails with the timeout in the last attempt', () => {
    expect(outcomeOfError(failedRun({ interruption: timedOut, attempt: 3 }))).toEqual(failedWith(timeout));
  });

  it.each([
    [{ giveUpOn: TaskTimeoutError }, 'failed'],
    [{ giveUpOn: TypeError }, 'retry'],
    [{ retryOn: TypeError }, 'failed'],
    [{ retryOn: TaskTimeoutError }, 'retry'],
  ])('is judged by the timeout, not by what the method threw: %p → %s', (task, kind) => {
    expect(outcomeOfError(failedRun({ interruption: timedOut, task }))).toMatchObject({ kind });
  });
});

describe('a refused call', () => {
  it.each<[what: string, thrown: unknown, failure: object]>([
    ['the error of the guard or pipe', refused, { name: 'ForbiddenException', message: 'not yours', exposable: true }],
    ['a text that a guard threw', new RefusedCall('no'), { name: 'Error', message: 'no' }],
    ['the error of the schema', invalid, { name: 'InvalidArgumentsError', code: 'INVALID_ARGUMENTS' }],
  ])('fails with %s', (_, thrown, failure) => {
    expect(outcomeOfError(failedRun({ thrown }))).toEqual(failedWith(failure));
  });
});

it.each([
  ['an error', bug, false],
  ['an error that was written for callers', new ForbiddenException(), true],
  ['fail()', failNow, true],
])('marks the failure of %s: callers may see it, %p', (_, thrown, exposable) => {
  const { failure } = outcomeOfError(failedRun({ thrown, attempt: 3 })) as { failure: { exposable?: boolean } };
  expect(failure.exposable ?? false).toBe(exposable);
});

describe('attempts', () => {
  it.each([
    ['one without retries', {}, {}, 1],
    ['one more than the retries of the declaration', {}, { retries: 4 }, 5],
    ["the call's own, if more", { attempts: 7 }, { retries: 4 }, 7],
    ["the call's own, if fewer", { attempts: 1 }, { retries: 4 }, 1],
  ])('are %s', (_, options, task, attempts) => {
    expect(attemptsOf(deliveryOf({ options }), defineFrom(task, {}, 'Reports.build'))).toBe(attempts);
  });

  it.each([
    [1, 'retry'],
    [2, 'retry'],
    [3, 'failed'],
    [4, 'failed'],
  ])('number %d of three ends with %s', (attempt, kind) => {
    expect(outcomeOfError(failedRun({ attempt }))).toMatchObject({ kind });
  });
});

describe('the delay of a retry', () => {
  const backoff = { type: 'exponential', delay: 10, max: 1_000, jitter: 0 } as const;

  it.each([
    ['the declaration', { task: { retries: 9, backoff } }],
    ['the call', { task: { retries: 9 }, options: { backoff } }],
  ])('follows the backoff of %s', (_, run) => {
    const delays = [1, 2, 3].map((attempt) => outcomeOfError(failedRun({ ...run, attempt })));
    expect(delays).toMatchObject([{ delay: 10 }, { delay: 20 }, { delay: 40 }]);
  });
});
