import { describe, expect, it } from '@jest/globals';
import type { Job } from 'bullmq';
import type { JobData } from '../../../../../lib/engine/bullmq/jobs/job-data.js';
import {
  readSuccess,
  SUCCESS_FIELDS,
  writeSuccess,
  type JobSuccess,
} from '../../../../../lib/engine/bullmq/jobs/job-success.js';
import { toRecord } from '../../../../../lib/engine/bullmq/jobs/job-to-record.js';

const NOW = Date.UTC(2026, 0, 1);

/** A job that this process ran to its end. */
function endedJob(known: Partial<Job<JobData>> = {}): Job<JobData> {
  return {
    name: 'Mail.send',
    data: { args: ['a secret'], headers: { owner: 'ada' }, root: 'mail.root', note: { last: true } },
    opts: { attempts: 3, delay: 5, jobId: 'mail.1', task: { resultTtl: 1_000 } },
    progress: 0,
    timestamp: NOW - 30,
    processedOn: NOW - 20,
    finishedOn: NOW - 10,
    attemptsMade: 2,
    attemptsStarted: 4,
    ...known,
  } as Job<JobData>;
}

function recordFrom(success: JobSuccess) {
  return toRecord('mail.1', readSuccess(success), 'mail', 'completed', { ttl: 60_000, failedTtl: 60_000 }, NOW);
}

describe('the message of a success', () => {
  it('carries one text for each field, in the order of the fields', () => {
    const success = writeSuccess(endedJob(), 'sent');
    expect(Object.fromEntries(SUCCESS_FIELDS.map((field, index) => [field, success[index]]))).toEqual({
      name: 'Mail.send',
      data: JSON.stringify({ args: [], headers: { owner: 'ada' }, root: 'mail.root', note: { last: true } }),
      opts: JSON.stringify({ attempts: 3, task: { resultTtl: 1_000 } }),
      progress: '0',
      timestamp: `${NOW - 30}`,
      processedOn: `${NOW - 20}`,
      atm: '2',
      ats: '4',
      finishedOn: `${NOW - 10}`,
      returnvalue: '"sent"',
    });
  });

  it('leaves the arguments out, because a record has none', () => {
    expect(JSON.stringify(writeSuccess(endedJob(), 1))).not.toContain('a secret');
  });

  it('gives the record that the stored job gives', () => {
    expect(recordFrom(writeSuccess(endedJob({ progress: { page: 1 } }), [1, 2]))).toEqual({
      id: 'mail.1',
      name: 'Mail.send',
      queue: 'mail',
      state: 'succeeded',
      progress: { page: 1 },
      result: [1, 2],
      error: null,
      attempt: 2,
      maxAttempts: 3,
      enqueuedAt: NOW - 30,
      startedAt: NOW - 20,
      finishedAt: NOW - 10,
      expiresAt: NOW - 10 + 1_000,
      headers: { owner: 'ada' },
      note: { last: true },
    });
  });

  it.each([
    [0, 0],
    [false, false],
    ['', ''],
    [null, null],
    [undefined, null],
    ['null', 'null'],
    [[], []],
    [{ a: { b: 'ä' } }, { a: { b: 'ä' } }],
  ])('carries the result %j', (returned, result) => {
    expect(recordFrom(writeSuccess(endedJob(), returned))).toMatchObject({ state: 'succeeded', result });
  });

  it.each([
    [0, null],
    [50, 50],
    ['half', 'half'],
    [{ current: 0 }, { current: 0 }],
  ])('carries the progress %j', (stored, progress) => {
    expect(recordFrom(writeSuccess(endedJob({ progress: stored }), 1))).toMatchObject({ progress });
  });
});

it('reads a field that Redis does not have as its default', () => {
  const success = SUCCESS_FIELDS.map((field) => (['opts', 'progress', 'atm', 'ats'].includes(field) ? false : '1'));
  expect(readSuccess(success)).toMatchObject({
    opts: {},
    progress: 0,
    attemptsMade: 0,
    attemptsStarted: 0,
    timestamp: 1,
  });
});
