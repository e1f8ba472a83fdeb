import { describe, expect, it } from '@jest/globals';
import type { JobJson, JobState } from 'bullmq';
import type { JobData, JobOptions } from '../../../../../lib/engine/bullmq/jobs/job-data.js';
import { writeFailure } from '../../../../../lib/engine/bullmq/jobs/job-failure.js';
import { toRecord } from '../../../../../lib/engine/bullmq/jobs/job-to-record.js';
import { cancellation, expiry } from '../../../../../lib/engine/failures.js';
import type { TaskFailure, TaskRecord, TaskState } from '../../../../../lib/engine/task.js';

const NOW = Date.UTC(2026, 0, 1);
const RETENTION = { ttl: 60_000, failedTtl: 600_000 };
const MEMBERS = [{ queue: 'mail', count: 2 }];
const DECLINED: TaskFailure = { name: 'Declined', message: 'no money', code: 'DECLINED', stack: 'Declined: no money' };

/** What a test sets of a stored job. The other fields are those of a job that was enqueued a minute ago. */
interface Stored extends Partial<Omit<JobJson, 'data' | 'opts'>> {
  readonly data?: Partial<JobData>;
  readonly opts?: JobOptions;
  /** The failure of the last attempt. */
  readonly failure?: TaskFailure;
}

function jobWith({ data, failure, ...fields }: Stored): JobJson {
  const written = failure && writeFailure(failure);
  return {
    id: 'mail.1',
    name: 'Mail.send',
    data: JSON.stringify({ args: [], headers: {}, ...data }),
    opts: {},
    timestamp: NOW - 60_000,
    progress: 0,
    attemptsMade: 0,
    attemptsStarted: 0,
    ...(written && { failedReason: written.message, stacktrace: JSON.stringify([written.stack]) }),
    ...fields,
  } as JobJson;
}

function recordOf(jobState: JobState, stored: Stored = {}, retention = RETENTION): TaskRecord | undefined {
  return toRecord('mail.1', jobWith(stored), 'mail', jobState, retention, NOW);
}

/** Data with the mark that a caller cancelled the task at this time. */
function cancelledAt(at: number, reason?: string): Partial<JobData> {
  return { cancelled: { at, ...(reason !== undefined && { reason }) } };
}

function expiresAt(time: number): JobOptions {
  return { task: { expiresAt: time } };
}

/** The fields of a job that a worker took at this time, `started` times in all. */
function taken(processedOn: number, started = 1): Stored {
  return { processedOn, attemptsStarted: started };
}

/** The fields of a job whose last attempt ended at this time. */
function ended(finishedOn: number, attemptsMade = 1): Stored {
  return { ...taken(finishedOn - 10, attemptsMade), finishedOn, attemptsMade };
}

type Facts = Partial<Pick<TaskRecord, 'attempt' | 'error' | 'finishedAt' | 'result' | 'startedAt'>>;

describe('the state of a task', () => {
  it.each<[state: TaskState, when: string, jobState: JobState, stored: Stored, facts: Facts]>([
    ['scheduled', 'its time has not come', 'delayed', {}, { attempt: 0, error: null, finishedAt: null }],
    ['scheduled', 'it expires later', 'delayed', { opts: expiresAt(NOW + 1) }, {}],

    ['queued', 'no worker has taken it', 'waiting', {}, { attempt: 0, error: null, finishedAt: null }],
    ['queued', 'no worker has taken it from a queue with priorities', 'prioritized', {}, { attempt: 0 }],
    ['queued', 'it expires later', 'waiting', { opts: expiresAt(NOW + 1) }, {}],
    ['queued', 'the members of a workflow that never ran have ended', 'waiting', { data: { members: MEMBERS } }, {}],

    [
      'retrying',
      'a worker had it and gave it back without a call of its method',
      'delayed',
      { ...taken(NOW - 5), data: { looks: 1, returns: 1 } },
      { attempt: 0, startedAt: NOW - 5 },
    ],
    [
      'expired',
      'it expires before a worker takes it again',
      'delayed',
      { ...taken(NOW - 5), data: { looks: 1, returns: 1 }, opts: expiresAt(NOW - 1) },
      { attempt: 0 },
    ],

    [
      'expired',
      'a worker has just taken it to clear it away',
      'active',
      { ...taken(NOW - 5), opts: expiresAt(NOW - 6) },
      { attempt: 0, finishedAt: NOW - 6 },
    ],
    ['running', 'a worker took it in time', 'active', { ...taken(NOW - 5), opts: expiresAt(NOW - 4) }, { attempt: 1 }],
    [
      'running',
      'it has started before it expired',
      'active',
      { ...taken(NOW - 5), attemptsStarted: 2, opts: expiresAt(NOW - 6) },
      { attempt: 1 },
    ],

    ['waiting', 'its members run', 'waiting-children', { data: { members: MEMBERS } }, { attempt: 0, error: null }],
    [
      'waiting',
      'members that it got while it ran have ended, and no attempt has failed',
      'waiting',
      { ...taken(NOW - 5), data: { members: MEMBERS, note: { replaced: true } } },
      { attempt: 0 },
    ],
    [
      'waiting',
      'a worker looked at its members, and looks again soon',
      'delayed',
      { ...taken(NOW - 5), data: { members: MEMBERS, looks: 1 } },
      { attempt: 0, startedAt: null },
    ],
    [
      'scheduled',
      'its members have ended and its delay has not',
      'delayed',
      { ...taken(NOW - 5), data: { members: MEMBERS, looks: 1, note: { delay: { at: NOW + 5 } } } },
      { attempt: 0, startedAt: null },
    ],
    [
      'retrying',
      'its members have ended, and its method asked to run later',
      'delayed',
      { ...taken(NOW - 5), data: { members: MEMBERS } },
      { attempt: 0, startedAt: NOW - 5 },
    ],

    ['running', 'a worker runs its first attempt', 'active', taken(NOW - 5), { attempt: 1, error: null }],
    ['running', 'a worker runs its third attempt', 'active', { ...taken(NOW - 5, 3), attemptsMade: 2 }, { attempt: 3 }],
    [
      'running',
      'its expiry time passed after it started',
      'active',
      { ...taken(NOW - 5), opts: expiresAt(NOW - 1) },
      {},
    ],
    [
      'running',
      'a caller cancelled it after a worker took it: the method may still return a result',
      'active',
      { ...taken(NOW - 5), data: cancelledAt(NOW - 1) },
      { attempt: 1, error: null, finishedAt: null },
    ],
    [
      'running',
      'the failure of the attempt before is still stored',
      'active',
      { ...taken(NOW - 5, 2), attemptsMade: 1, failure: DECLINED },
      { attempt: 2, error: null },
    ],

    [
      'retrying',
      'it waits for its next attempt',
      'delayed',
      { ...taken(NOW - 5), attemptsMade: 1, failure: DECLINED },
      { attempt: 1, error: DECLINED, finishedAt: null },
    ],
    [
      'retrying',
      'its next attempt is due',
      'waiting',
      { ...taken(NOW - 5), attemptsMade: 1, failure: DECLINED },
      { attempt: 1, error: DECLINED },
    ],
    ['retrying', 'it was postponed, which is no failure', 'delayed', taken(NOW - 5), { attempt: 0, error: null }],
    [
      'retrying',
      'an attempt of a workflow failed after its members had ended',
      'delayed',
      { ...taken(NOW - 5), attemptsMade: 1, failure: DECLINED, data: { members: MEMBERS } },
      { attempt: 1, error: DECLINED },
    ],

    [
      'succeeded',
      'its method returned',
      'completed',
      { ...ended(NOW - 5), returnvalue: '{"sent":true}' },
      { attempt: 1, error: null, finishedAt: NOW - 5, result: { sent: true } },
    ],
    [
      'succeeded',
      'its method returned although a caller cancelled it',
      'completed',
      { ...ended(NOW - 5), returnvalue: 'null', data: cancelledAt(NOW - 6) },
      { attempt: 1, error: null, result: null },
    ],
    [
      'succeeded',
      'its second attempt returned after the first had failed',
      'completed',
      { ...ended(NOW - 5, 2), returnvalue: '7', failure: DECLINED },
      { attempt: 2, error: null, result: 7 },
    ],

    [
      'failed',
      'its last attempt threw',
      'failed',
      { ...ended(NOW - 5, 3), failure: DECLINED },
      { attempt: 3, error: DECLINED, finishedAt: NOW - 5, result: null },
    ],
    [
      'failed',
      'a foreign worker failed it',
      'failed',
      { ...ended(NOW - 5), failedReason: 'kaput', stacktrace: '["Error: kaput\\n    at foreign.js:1:1"]' },
      { attempt: 1, error: { name: 'Error', message: 'kaput' } },
    ],
    [
      'failed',
      'BullMQ gave it up',
      'failed',
      { ...ended(NOW - 5, 0), failedReason: 'job stalled more than allowable limit' },
      { attempt: 0, error: expect.objectContaining({ code: 'WORKER_LOST' }) as unknown as TaskFailure },
    ],
    [
      'failed',
      'it failed by itself after a caller had asked to cancel it',
      'failed',
      { ...ended(NOW - 5), failure: DECLINED, data: cancelledAt(NOW - 6) },
      { attempt: 1, error: DECLINED },
    ],

    [
      'cancelled',
      'a caller cancelled it before its time came',
      'delayed',
      { data: cancelledAt(NOW - 3) },
      { attempt: 0, error: cancellation(undefined), finishedAt: NOW - 3 },
    ],
    [
      'cancelled',
      'a caller cancelled it in the queue',
      'waiting',
      { data: cancelledAt(NOW - 3, 'enough') },
      { attempt: 0, error: cancellation('enough'), finishedAt: NOW - 3 },
    ],
    ['cancelled', 'a caller cancelled it in a queue with priorities', 'prioritized', { data: cancelledAt(NOW) }, {}],
    [
      'cancelled',
      'a caller cancelled it before it expired',
      'waiting',
      { data: cancelledAt(NOW - 3), opts: expiresAt(NOW - 1) },
      { error: cancellation(undefined), finishedAt: NOW - 3 },
    ],
    [
      'cancelled',
      'a caller cancelled it between two attempts',
      'delayed',
      { ...taken(NOW - 9), attemptsMade: 1, failure: DECLINED, data: cancelledAt(NOW - 3) },
      { attempt: 1, error: cancellation(undefined) },
    ],
    [
      'cancelled',
      'a caller cancelled it while its members ran',
      'waiting-children',
      { data: { members: MEMBERS, ...cancelledAt(NOW - 3) } },
      { attempt: 0, error: cancellation(undefined), finishedAt: NOW - 3 },
    ],
    [
      'cancelled',
      'a worker has taken it only to end it',
      'active',
      { ...taken(NOW - 3), data: cancelledAt(NOW - 3) },
      { attempt: 0, error: cancellation(undefined), finishedAt: NOW - 3 },
    ],
    [
      'cancelled',
      'a worker has taken it only to end it, and its clock is behind',
      'active',
      { ...taken(NOW - 60_000), data: { cancelled: { at: NOW - 3, starts: 0 } } },
      { attempt: 0, error: cancellation(undefined), finishedAt: NOW - 3 },
    ],
    [
      'running',
      'a caller whose clock is behind cancelled it while it ran',
      'active',
      { ...taken(NOW - 3), data: { cancelled: { at: NOW - 60_000, starts: 1 } } },
      { attempt: 1, error: null, finishedAt: null },
    ],
    [
      'retrying',
      'the worker of its cancelled run has died, and a caller has asked to run it again',
      'waiting',
      { ...taken(NOW - 5), data: { cancelled: { at: NOW - 3, starts: 1, again: true } } },
      { error: null, finishedAt: null },
    ],
    [
      'running',
      'a worker took it to end its cancelled run, and a caller has asked to run it again',
      'active',
      { ...taken(NOW - 2, 2), data: { cancelled: { at: NOW - 3, starts: 1, again: true } } },
      { error: null, finishedAt: null },
    ],
    [
      'cancelled',
      'a worker took it only to end it: that is no attempt',
      'failed',
      { ...ended(NOW - 5), failure: cancellation('enough'), data: cancelledAt(NOW - 20, 'enough') },
      {
        attempt: 0,
        error: expect.objectContaining(cancellation('enough')) as unknown as TaskFailure,
        finishedAt: NOW - 5,
      },
    ],
    [
      'cancelled',
      'a caller cancelled it while its second attempt ran, which counts',
      'failed',
      { ...ended(NOW - 5, 2), failure: cancellation(undefined), data: cancelledAt(NOW - 6) },
      { attempt: 2, error: expect.objectContaining(cancellation(undefined)) as unknown as TaskFailure },
    ],

    [
      'expired',
      'no worker took it from the queue in time',
      'waiting',
      { opts: expiresAt(NOW) },
      { attempt: 0, error: expiry(), finishedAt: NOW },
    ],
    [
      'expired',
      'no worker took it in time from a queue with priorities',
      'prioritized',
      { opts: expiresAt(NOW - 7) },
      { attempt: 0, error: expiry(), finishedAt: NOW - 7 },
    ],
    ['expired', 'it expired before its own time came', 'delayed', { opts: expiresAt(NOW - 7) }, { error: expiry() }],
    [
      'expired',
      'a worker took it too late: that is no attempt',
      'failed',
      { ...ended(NOW - 5), failure: expiry(), opts: expiresAt(NOW - 20) },
      { attempt: 0, error: expect.objectContaining(expiry()) as unknown as TaskFailure, finishedAt: NOW - 5 },
    ],
  ])('is %s when %s', (state, _when, jobState, stored, facts) => {
    expect(recordOf(jobState, stored)).toMatchObject({ state, result: null, ...facts });
  });
});

describe('the record of a task', () => {
  it('has every field of the job', () => {
    const record = recordOf('completed', {
      ...ended(NOW - 5, 2),
      progress: { current: 1, total: 2 },
      returnvalue: '[1]',
      opts: { attempts: 4 },
      data: { headers: { owner: 'ada' }, members: MEMBERS, note: { group: {} } },
    });
    expect(record).toEqual({
      id: 'mail.1',
      name: 'Mail.send',
      queue: 'mail',
      state: 'succeeded',
      progress: { current: 1, total: 2 },
      result: [1],
      error: null,
      attempt: 2,
      maxAttempts: 4,
      enqueuedAt: NOW - 60_000,
      startedAt: NOW - 15,
      finishedAt: NOW - 5,
      expiresAt: NOW - 5 + RETENTION.ttl,
      headers: { owner: 'ada' },
      members: MEMBERS,
      note: { group: {} },
    });
  });

  it('has null for what is not known yet', () => {
    expect(recordOf('waiting')).toEqual({
      id: 'mail.1',
      name: 'Mail.send',
      queue: 'mail',
      state: 'queued',
      progress: null,
      result: null,
      error: null,
      attempt: 0,
      maxAttempts: 1,
      enqueuedAt: NOW - 60_000,
      startedAt: null,
      finishedAt: null,
      expiresAt: null,
      headers: {},
    });
  });

  it('has no members and no headers when a foreign client stored other data', () => {
    const json = { ...jobWith({}), data: '"text"' };
    const record = toRecord('mail.1', json, 'mail', 'waiting', RETENTION, NOW);
    expect(record).toMatchObject({ state: 'queued', headers: {} });
    expect(record).not.toHaveProperty('members');
    expect(record).not.toHaveProperty('note');
  });

  it.each([
    ['0', 0],
    ['false', false],
    ['""', ''],
    ['null', null],
    ['[]', []],
  ])('has the result %s', (returnvalue, result) => {
    expect(recordOf('completed', { ...ended(NOW - 5), returnvalue })).toMatchObject({ result });
  });

  it.each<[attempts: number | undefined, maxAttempts: number]>([
    [undefined, 1],
    [0, 1],
    [1, 1],
    [5, 5],
  ])('has for %p attempts of the job %p attempts in all', (attempts, maxAttempts) => {
    const opts = attempts === undefined ? {} : { attempts };
    expect(recordOf('waiting', { opts })).toMatchObject({ maxAttempts });
  });
});

describe('the time to live of a record', () => {
  const own = (resultTtl: number): JobOptions => ({ task: { resultTtl } });

  it.each<[what: string, jobState: JobState, at: (life: number) => Stored, life: number]>([
    ['succeeded', 'completed', (life) => ({ ...ended(NOW - life), returnvalue: '1' }), 60_000],
    ['failed', 'failed', (life) => ({ ...ended(NOW - life), failure: DECLINED }), 600_000],
    ['was cancelled in the queue', 'waiting', (life) => ({ data: cancelledAt(NOW - life) }), 600_000],
    ['expired in the queue', 'waiting', (life) => ({ opts: expiresAt(NOW - life) }), 600_000],
    [
      'succeeded, with a resultTtl of its own',
      'completed',
      (life) => ({ ...ended(NOW - life), returnvalue: '1', opts: own(5) }),
      5,
    ],
  ])('begins at the end of a task that %s', (_, jobState, at, life) => {
    expect(recordOf(jobState, at(life - 1))).toMatchObject({ expiresAt: NOW + 1 });
    expect(recordOf(jobState, at(life))).toBeUndefined();
  });

  it.each<[state: TaskState, jobState: JobState, stored: Stored]>([
    ['queued', 'waiting', {}],
    ['running', 'active', taken(NOW - 10 * RETENTION.failedTtl)],
    ['waiting', 'waiting-children', { data: { members: MEMBERS } }],
  ])('never ends while a task is %s', (state, jobState, stored) => {
    const old = { ...stored, timestamp: NOW - 10 * RETENTION.failedTtl };
    expect(recordOf(jobState, old)).toMatchObject({ state, expiresAt: null });
  });
});
