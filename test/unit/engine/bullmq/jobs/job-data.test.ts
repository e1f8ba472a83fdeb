import { describe, expect, it } from '@jest/globals';
import type { Job, JobJson } from 'bullmq';
import { bullmq } from '../../../../../lib/engine/bullmq/bullmq-package.cjs';
import {
  parse,
  readData,
  readHeaders,
  readOptions,
  toJob,
  toJobEntry,
  type JobData,
  type JobOptions,
} from '../../../../../lib/engine/bullmq/jobs/job-data.js';
import type { CallOptions, TaskCall, TaskTree, Uniqueness } from '../../../../../lib/engine/task.js';

const NOW = Date.UTC(2026, 0, 1);
const DAY = 24 * 60 * 60 * 1_000;
const BACKOFF = { type: 'fixed', delay: 1_000, max: 5_000, jitter: 0 } as const;

function callWith(options: CallOptions = {}, unique?: Uniqueness): TaskCall {
  return {
    id: 'mail.1',
    name: 'Mail.send',
    queue: 'mail',
    args: ['ada@example.org', { urgent: true }],
    headers: { owner: 'ada' },
    options,
    ...(unique && { unique }),
  };
}

function treeWith(known: Partial<TaskTree>): TaskTree {
  return { ...callWith(), members: [], ...known };
}

function uniqueWhile(until: Uniqueness['while']): Uniqueness {
  return { key: 'digest', while: until };
}

/** The options of a job, without the two that every job has. */
function jobOptions(call: TaskCall, priorities = false): JobOptions {
  const { jobId, timestamp, ...opts } = toJob(call, NOW, priorities).opts;
  expect({ jobId, timestamp }).toEqual({ jobId: call.id, timestamp: NOW });
  return opts;
}

/** Each row: the options of a call, and where a job stores them. */
const STORED_OPTIONS: readonly [what: string, call: TaskCall, stored: JobOptions][] = [
  ['no option: nothing', callWith(), {}],
  ['attempts: BullMQ', callWith({ attempts: 3 }), { attempts: 3 }],
  ['startAt in the future: a delay from now', callWith({ startAt: NOW + 5_000 }), { delay: 5_000 }],
  ['startAt now: nothing', callWith({ startAt: NOW }), {}],
  ['startAt in the past: nothing', callWith({ startAt: NOW - 5_000 }), {}],
  ['expiresAt: the task options', callWith({ expiresAt: NOW + 9 }), { task: { expiresAt: NOW + 9 } }],
  ['timeout: the task options', callWith({ timeout: 250 }), { task: { timeout: 250 } }],
  ['resultTtl: the task options', callWith({ resultTtl: DAY }), { task: { resultTtl: DAY } }],
  ['resultTtl 0: the task options', callWith({ resultTtl: 0 }), { task: { resultTtl: 0 } }],
  ['ignoreResult: the task options', callWith({ ignoreResult: true }), { task: { ignoreResult: true } }],
  [
    'backoff: the task options, because BullMQ asks a strategy',
    callWith({ backoff: BACKOFF }),
    { task: { backoff: BACKOFF } },
  ],
  [
    'unique while running: a key that ends with the job',
    callWith({}, uniqueWhile('running')),
    { deduplication: { id: 'digest' } },
  ],
  [
    'unique while pending: the same, and a mark for the worker that starts the task',
    callWith({}, uniqueWhile('pending')),
    { deduplication: { id: 'digest' }, task: { uniqueWhilePending: true } },
  ],
  [
    'unique while retained: a key that outlives every job',
    callWith({}, uniqueWhile('retained')),
    { deduplication: { id: 'digest', ttl: 400 * DAY } },
  ],
  [
    'several options: each in its place',
    callWith({ attempts: 2, startAt: NOW + 1, timeout: 10 }, uniqueWhile('pending')),
    { attempts: 2, delay: 1, deduplication: { id: 'digest' }, task: { timeout: 10, uniqueWhilePending: true } },
  ],
];

describe('toJob', () => {
  it.each(STORED_OPTIONS)('stores %s', (_, call, stored) => {
    expect(jobOptions(call)).toEqual(stored);
  });

  it.each([
    [9, 1],
    [1, 9],
    [0, 10],
    [undefined, 10],
  ])('stores priority %p as %p, because BullMQ takes the job with the lowest number first', (priority, stored) => {
    expect(jobOptions(callWith({ ...(priority !== undefined && { priority }) }), true)).toEqual({ priority: stored });
  });

  it('stores no priority in a queue without priorities', () => {
    expect(jobOptions(callWith({ priority: 9 }))).toEqual({});
  });

  it.each<[what: string, call: TaskCall | TaskTree, more: Partial<JobData>]>([
    ['nothing more of a call', callWith(), {}],
    ['nothing more of a tree that is a lone task', treeWith({ note: {} }), {}],
    ['the root', treeWith({ root: 'mail.root' }), { root: 'mail.root' }],
    ['the note', treeWith({ note: { step: 1, after: true } }), { note: { step: 1, after: true } }],
    [
      'the queues of the members as ranges',
      treeWith({ members: ['a', 'a', 'b', 'a'].map((queue) => ({ ...treeWith({}), queue })) }),
      {
        members: [
          { queue: 'a', count: 2 },
          { queue: 'b', count: 1 },
          { queue: 'a', count: 1 },
        ],
      },
    ],
  ])('stores the arguments, the headers and %s', (_, call, more) => {
    const data = { args: call.args, headers: call.headers, ...more };
    expect(toJob(call, NOW, false).data).toEqual(data);
    expect(JSON.parse(toJobEntry(call, NOW, false).job.data)).toEqual(data);
  });
});

describe('toJobEntry', () => {
  it.each(STORED_OPTIONS)('stores %s', (_, call, stored) => {
    expect(toJobEntry(call, NOW, false).job.opts).toEqual(stored);
  });

  it.each([
    ['a plain call', callWith(), false],
    ['a delayed call', callWith({ startAt: NOW + 5_000, attempts: 3 }), false],
    ['a call with a priority', callWith({ priority: 4 }), true],
    ['a unique call', callWith({}, uniqueWhile('running')), false],
    ['a tree', treeWith({ root: 'mail.root', note: { last: true } }), false],
  ])('gives a backend the fields of %s that BullMQ gives it', async (_, call, priorities) => {
    const { name, data, opts } = toJob(call, NOW, priorities);
    const { json, job } = await jobOfBullMQ(name, data, opts);
    const entry = toJobEntry(call, NOW, priorities);
    expect(entry.jobId).toBe(job.id);
    const { opts: ownOptions, delay, priority, ...fields } = entry.job;
    const { opts: _options, returnvalue, stacktrace, ...expected } = json;
    expect(fields).toEqual(expected);
    expect([returnvalue, stacktrace]).toEqual(['null', 'null']);
    expect({ delay, priority: priority ?? 0 }).toEqual({ delay: job.delay, priority: job.priority });
    expect(job.opts).toMatchObject(ownOptions);
  });
});

/** The job that BullMQ's own class hands to a backend. */
async function jobOfBullMQ(name: string, data: JobData, opts: JobOptions) {
  const added: { job: JobJson }[] = [];
  const backend = {
    addJobs: async (entries: typeof added) => {
      added.push(...entries);
      return [opts.jobId];
    },
  };
  const queue = { toKey: (key: string) => key, qualifiedName: 'tasks:mail', opts: {}, backend };
  const [job] = await bullmq.Job.createBulk(queue as never, [{ name, data, opts }]);
  return { json: added[0]?.job as JobJson, job: job as Job };
}

describe('readData', () => {
  it.each([
    ['the data of a task', { args: [1], headers: {} }],
    ['data without headers', { args: [] }],
  ])('accepts %s', (_, data) => {
    expect(readData(data)).toBe(data);
  });

  it.each([undefined, null, 7, 'args', [], {}, { args: 'no list' }, { args: { 0: 'no list' } }, { arguments: [] }])(
    'refuses %j, which is no data of a task',
    (data) => {
      expect(readData(data)).toBeUndefined();
    },
  );
});

describe('readHeaders', () => {
  it.each<[what: string, data: unknown, headers: object]>([
    ['the headers of a task', { args: [], headers: { owner: 'ada' } }, { owner: 'ada' }],
    ['no headers of a job without data', undefined, {}],
    ['no headers of data without headers', { args: [] }, {}],
    ['no headers of data with null for headers', { args: [], headers: null }, {}],
    [
      'only the texts among the headers of a foreign client',
      { args: [], headers: { owner: 'ada', retries: 3, trace: { id: 1 }, none: null, empty: '' } },
      { owner: 'ada', empty: '' },
    ],
  ])('gives %s', (_, data, headers) => {
    expect(readHeaders(data as JobData | undefined)).toEqual(headers);
  });
});

describe('readOptions', () => {
  it.each<[what: string, opts: JobOptions, options: CallOptions]>([
    ['nothing of a job without options', {}, {}],
    ['nothing of the attempts that BullMQ sets by default', { attempts: 0 }, {}],
    ['the attempts', { attempts: 4 }, { attempts: 4 }],
    ['the task options', { task: { timeout: 5, backoff: BACKOFF } }, { timeout: 5, backoff: BACKOFF }],
    ["nothing of BullMQ's own options", { delay: 9, priority: 10, removeOnComplete: true }, {}],
    ['the priority of the call', { priority: 1 }, { priority: 9 }],
    ['no priority that another client invented', { priority: 4_000 }, {}],
  ])('gives %s', (_, opts, options) => {
    expect(readOptions(opts)).toEqual(options);
  });

  it('gives back what a call stored for the worker', () => {
    const options = { attempts: 3, expiresAt: NOW + 1, timeout: 2, resultTtl: 3, ignoreResult: true, backoff: BACKOFF };
    expect(readOptions(toJob(callWith(options), NOW, false).opts)).toEqual(options);
  });
});

describe('parse', () => {
  it.each([
    ['null', null],
    ['0', 0],
    ['false', false],
    ['""', ''],
    ['{"a":[1]}', { a: [1] }],
    ['{"a":', undefined],
    ['text', undefined],
    ['', undefined],
    [undefined, undefined],
  ])('reads %j as %j', (text, value) => {
    expect(parse(text)).toEqual(value);
  });
});
