import { describe, expect, it } from '@jest/globals';
import type { JobJson } from 'bullmq';
import {
  isAbandonment,
  lastFailure,
  readFailure,
  writeFailure,
} from '../../../../../lib/engine/bullmq/jobs/job-failure.js';
import { repeatedLoss } from '../../../../../lib/engine/failures.js';
import type { TaskFailure } from '../../../../../lib/engine/task.js';

const STACK = 'TypeError: no\n    at send (mail.ts:7:9)\n    at run (task.ts:1:1)';
const MEMBER = {
  id: 'mail.2',
  task: 'Mail.render',
  position: 3,
  error: { name: 'Error', message: 'no template', code: 'TEMPLATE' },
};

/** A job that failed as BullMQ stores it: with the message of the last error and the stacks of the last errors. */
function failedJob(...failures: TaskFailure[]): JobJson {
  const written = failures.map((failure) => writeFailure(failure));
  return {
    failedReason: written.at(-1)?.message,
    stacktrace: JSON.stringify(written.map(({ stack }) => stack)),
  } as JobJson;
}

function foreignJob(failedReason: string | undefined, stacktrace?: string): JobJson {
  return { failedReason, stacktrace } as JobJson;
}

describe('a failure that this package wrote', () => {
  it.each<[what: string, failure: TaskFailure]>([
    ['with name, message and stack', { name: 'TypeError', message: 'no', stack: STACK }],
    ['with a code', { name: 'TypeError', message: 'no', code: 'E_NO', stack: STACK }],
    ['for callers', { name: 'TypeError', message: 'no', exposable: true, stack: STACK }],
    ['of a workflow, with its member', { name: 'WorkflowFailedError', message: 'no', member: MEMBER, stack: STACK }],
    ['of several lines', { name: 'TypeError', message: 'no\n{"name":"yes"}\nno', stack: `TypeError: no\n{"a":1}` }],
    ['with any text', { name: 'Ärger "1"', message: 'größer als 𝟚 \\n', stack: '€ 𝟚' }],
  ])('comes back %s', (_, failure) => {
    expect(readFailure(failedJob(failure))).toEqual(failure);
    expect(lastFailure(failedJob(failure))).toEqual(failure);
  });

  it('gets name and message for a stack when it has none', () => {
    expect(readFailure(failedJob({ name: 'TaskExpiredError', message: 'too late' }))).toEqual({
      name: 'TaskExpiredError',
      message: 'too late',
      stack: 'TaskExpiredError: too late',
    });
  });

  it('is that of the last attempt', () => {
    const json = failedJob({ name: 'First', message: '1', stack: '1' }, { name: 'Second', message: '2', stack: '2' });
    expect(readFailure(json)).toEqual({ name: 'Second', message: '2', stack: '2' });
  });

  it('is stored without what no database stores', () => {
    const { message, stack } = writeFailure({ name: 'Error', message: 'a\u0000b\ud800', stack: 'c\u0000d\udc00' });
    expect(message).toBe('ab\ufffd');
    expect(stack).toMatch(/^cd\ufffd\n/);
    expect(stack.isWellFormed()).toBe(true);
  });
});

describe('a failure that this package did not write', () => {
  it.each<[what: string, json: JobJson, message: string]>([
    ['its reason', foreignJob('kaput', '["Error: kaput\\n    at foreign.js:1:1"]'), 'kaput'],
    ['its reason, without a stack', foreignJob('kaput'), 'kaput'],
    ['its reason, with an empty list of stacks', foreignJob('kaput', '[]'), 'kaput'],
    ['its reason, with stacks that are not JSON', foreignJob('kaput', '[oh'), 'kaput'],
    ['its reason, with stacks that are no list', foreignJob('kaput', '{}'), 'kaput'],
    ['its reason, with a stack that is no text', foreignJob('kaput', '[7]'), 'kaput'],
    ['its reason, with JSON of another kind behind the stack', foreignJob('kaput', '["Error\\n{\\"a\\":1}"]'), 'kaput'],
    ['its reason, with null behind the stack', foreignJob('kaput', '["Error\\nnull"]'), 'kaput'],
    ['that there is no reason', foreignJob(undefined), 'The job failed without a reason.'],
    ['that there is no reason, for an empty one', foreignJob(''), 'The job failed without a reason.'],
  ])('has for its message %s', (_, json, message) => {
    expect(readFailure(json)).toEqual({ name: 'Error', message });
    expect(lastFailure(json)).toBeNull();
  });
});

describe('a job whose processes died', () => {
  const ABANDONED = ['job stalled more than allowable limit', 'job started more than allowable limit'];

  it.each(ABANDONED)('fails with WorkerLostError when BullMQ says "%s"', (failedReason) => {
    expect(isAbandonment(failedReason)).toBe(true);
    expect(readFailure(foreignJob(failedReason))).toEqual(repeatedLoss());
  });

  it.each(ABANDONED)('does not fail with the error of an earlier attempt when BullMQ says "%s"', (failedReason) => {
    const json = { ...failedJob({ name: 'Declined', message: 'no money' }), failedReason };
    expect(readFailure(json)).toEqual(repeatedLoss());
    expect(lastFailure(json)).toBeNull();
  });

  it.each(['', 'kaput', 'Missing lock for job 1. moveToFinished'])('did not fail with %j', (failedReason) => {
    expect(isAbandonment(failedReason)).toBe(false);
  });
});

it('gives a task that has not failed yet no failure', () => {
  expect(lastFailure({} as JobJson)).toBeNull();
  // BullMQ leaves the stacks of earlier attempts when it removes the reason.
  expect(
    lastFailure({ ...failedJob({ name: 'Declined', message: 'no' }), failedReason: undefined } as never),
  ).toBeNull();
});
