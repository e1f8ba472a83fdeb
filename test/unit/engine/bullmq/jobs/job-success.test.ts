import { describe, expect, it } from '@jest/globals';
import type { Job } from 'bullmq';
import type { JobData } from '../../../../../lib/engine/bullmq/jobs/job-data.js';
import {
  isSuccess,
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
  const job = readSuccess(success);
  if (!job) throw new Error('The success cannot be read.');
  return toRecord('mail.1', job, 'mail', 'completed', { ttl: 60_000, failedTtl: 60_000 }, NOW);
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
      root: 'mail.root',
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
  const success = SUCCESS_FIELDS.map((field) => {
    if (field === 'data') return '{}';
    return ['opts', 'progress', 'atm', 'ats'].includes(field) ? false : '1';
  });
  expect(readSuccess(success)).toMatchObject({
    opts: {},
    progress: 0,
    attemptsMade: 0,
    attemptsStarted: 0,
    timestamp: 1,
  });
});

/** A readable success in which one field has this text. */
function successWith(field: (typeof SUCCESS_FIELDS)[number], text: string | false): JobSuccess {
  return writeSuccess(endedJob(), 'sent').map((known, index) => (SUCCESS_FIELDS[index] === field ? text : known));
}

it.each<[(typeof SUCCESS_FIELDS)[number], string | false]>([
  ['name', false],
  ['name', ''],
  ['data', false],
  ['data', '{'],
  ['data', '[]'],
  ['data', 'null'],
  ['opts', '{'],
  ['opts', 'null'],
  ['opts', '"text"'],
  ['opts', '[]'],
  ['opts', '{"attempts":"3"}'],
  ['opts', '{"task":null}'],
  ['opts', '{"task":{"resultTtl":"1h"}}'],
  ['progress', 'half'],
  ['timestamp', false],
  ['timestamp', 'soon'],
  ['timestamp', '1e300'],
  ['processedOn', 'undefined'],
  ['finishedOn', 'NaN'],
  ['finishedOn', false],
  ['atm', '1.5'],
  ['ats', 'many'],
  ['returnvalue', false],
  ['returnvalue', '{"a":'],
])('does not read a success whose field %s is %j', (field, text) => {
  expect(readSuccess(successWith(field, text))).toBeUndefined();
});

it.each([
  [undefined],
  [null],
  ['text'],
  [{}],
  [[]],
  [writeSuccess(endedJob(), 1).slice(1)],
  [[...writeSuccess(endedJob(), 1), '']],
  [successWith('name', false).map((field) => field || null)],
  [successWith('name', false).map((field) => field || true)],
  [successWith('name', false).map((field) => field || 1)],
])('%j is no success', (value) => {
  expect(isSuccess(value)).toBe(false);
});

it('a list of texts and `false` for each field is a success', () => {
  expect(isSuccess(successWith('progress', false))).toBe(true);
});
