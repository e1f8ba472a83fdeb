import { describe, expect, it } from '@jest/globals';
import {
  cancellation,
  expiry,
  failureOf,
  isCancellation,
  isExpiry,
  removedMember,
  repeatedLoss,
} from '../../../lib/engine/failures.js';
import type { TaskFailure } from '../../../lib/engine/task.js';
import {
  InvalidArgumentsError,
  PayloadTooLargeError,
  TaskCancelledError,
  TaskExpiredError,
  TaskTimeoutError,
  UnknownTaskError,
  WorkerLostError,
} from '../../../lib/errors.js';

describe('failureOf', () => {
  it.each([
    [new UnknownTaskError('who?'), 'UnknownTaskError', 'UNKNOWN_TASK'],
    [new TaskTimeoutError('too long'), 'TaskTimeoutError', 'TASK_TIMEOUT'],
    [new InvalidArgumentsError('no'), 'InvalidArgumentsError', 'INVALID_ARGUMENTS'],
    [new PayloadTooLargeError('The arguments', 11, 10), 'PayloadTooLargeError', 'PAYLOAD_TOO_LARGE'],
  ])('keeps name, message and code of %p, and no stack', (error, name, code) => {
    expect(failureOf(error)).toStrictEqual({ name, message: error.message, code });
  });

  it('adds whether callers may see it, and the member', () => {
    const member = { id: 'q.2', task: 'a', position: 0, error: { name: 'Error', message: 'no' } };
    expect(failureOf(new WorkerLostError('gone'), { exposable: true, member })).toStrictEqual({
      name: 'WorkerLostError',
      message: 'gone',
      code: 'WORKER_LOST',
      exposable: true,
      member,
    });
  });
});

describe('the failures of this package', () => {
  it.each<[what: string, failure: TaskFailure, expected: TaskFailure]>([
    [
      'a cancelled task has the reason of the caller, who may see it',
      cancellation('enough'),
      { name: 'TaskCancelledError', message: 'enough', code: 'TASK_CANCELLED', exposable: true },
    ],
    [
      'a cancelled task without a reason has the default one',
      cancellation(undefined),
      {
        name: 'TaskCancelledError',
        message: new TaskCancelledError().message,
        code: 'TASK_CANCELLED',
        exposable: true,
      },
    ],
    [
      'a cancelled task with an empty reason has the default one',
      cancellation(''),
      {
        name: 'TaskCancelledError',
        message: new TaskCancelledError().message,
        code: 'TASK_CANCELLED',
        exposable: true,
      },
    ],
    [
      'an expired task has words that a caller may see',
      expiry(),
      { name: 'TaskExpiredError', message: new TaskExpiredError().message, code: 'TASK_EXPIRED', exposable: true },
    ],
    [
      'a task whose processes died is not for callers',
      repeatedLoss(),
      { name: 'WorkerLostError', message: repeatedLoss().message, code: 'WORKER_LOST' },
    ],
    [
      'a member that was removed is a task that is not found',
      removedMember('q.1'),
      { name: 'TaskNotFoundError', message: removedMember('q.1').message, code: 'TASK_NOT_FOUND' },
    ],
  ])('%s', (_, failure, expected) => {
    expect(failure).toStrictEqual(expected);
    expect(failure.message).toMatch(/^\S.*\S$/);
  });

  it('tell a removed member from a missing task: the caller asked for the workflow', () => {
    expect(removedMember('q.1').message).not.toContain('q.1');
  });
});

it.each<[what: string, failure: TaskFailure | null, is: { cancellation: boolean; expiry: boolean }]>([
  ['a cancellation', cancellation('enough'), { cancellation: true, expiry: false }],
  ['a stored cancellation', { name: 'x', message: 'y', code: 'TASK_CANCELLED' }, { cancellation: true, expiry: false }],
  ['an expiry', expiry(), { cancellation: false, expiry: true }],
  ['another failure', repeatedLoss(), { cancellation: false, expiry: false }],
  [
    'an error of the name without the code',
    { name: 'TaskCancelledError', message: 'no' },
    { cancellation: false, expiry: false },
  ],
  ['no failure', null, { cancellation: false, expiry: false }],
])('recognises %s by its code', (_, failure, is) => {
  expect({ cancellation: isCancellation(failure), expiry: isExpiry(failure) }).toEqual(is);
});
