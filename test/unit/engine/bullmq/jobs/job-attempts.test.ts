import { describe, expect, it } from '@jest/globals';
import type { JobJson } from 'bullmq';
import { readAttempts, shortenStacks } from '../../../../../lib/engine/bullmq/jobs/job-attempts.js';
import { writeFailure, type FailedAttempt } from '../../../../../lib/engine/bullmq/jobs/job-failure.js';
import type { TaskRecord } from '../../../../../lib/engine/task.js';

const RUN = { number: 1, started: 1_000, ended: 2_000, outcome: 'retry', worker: 'w1', lost: 0 } as const;

function stackOf(message: string, attempt: Partial<FailedAttempt> | null = {}): string {
  const failure = { name: 'TypeError', message, stack: `TypeError: ${message}\n    at x.ts:1` };
  return writeFailure(failure, attempt && { ...RUN, ...attempt }).stack;
}

/** As version 0.1.0 stores it. */
function oldStackOf(message: string): string {
  return `TypeError: ${message}\n    at x.ts:1\n{"name":"TypeError"}`;
}

function attempts(json: Partial<JobJson>, record: Partial<TaskRecord>) {
  const text = { ...json, ...(json.stacktrace && { stacktrace: JSON.stringify(json.stacktrace) }) };
  return readAttempts(text as unknown as JobJson, { startedAt: null, finishedAt: null, ...record } as TaskRecord);
}

describe('the attempts that a job stores', () => {
  it('have their own message, although BullMQ keeps only the last', () => {
    const stacktrace = [stackOf('one\ntwo'), stackOf('last', { number: 2, outcome: 'failed' })] as never;
    const read = attempts({ stacktrace, failedReason: 'last' }, { state: 'failed', attempt: 2 });
    expect(read.map(({ number, outcome, error }) => [number, outcome, error?.message])).toEqual([
      [1, 'retry', 'one\ntwo'],
      [2, 'failed', 'last'],
    ]);
    expect(read[0]).toMatchObject({ startedAt: 1_000, endedAt: 2_000, worker: 'w1' });
    expect(read[0]?.error?.stack).toBe('TypeError: one\ntwo\n    at x.ts:1');
  });

  it('have numbers, and the times of the last one, when an earlier version stored them', () => {
    const stacktrace = [oldStackOf('one'), 'Error: foreign\n  at y', oldStackOf('three')] as never;
    const read = attempts(
      { stacktrace, failedReason: 'three', processedOn: 5, finishedOn: 6 },
      { state: 'failed', attempt: 5 },
    );
    expect(read).toEqual([
      expect.objectContaining({
        number: 3,
        startedAt: null,
        outcome: 'retry',
        error: expect.objectContaining({ message: 'one' }),
      }),
      expect.objectContaining({ number: 4, error: expect.objectContaining({ name: 'Error', message: 'foreign' }) }),
      expect.objectContaining({ number: 5, startedAt: 5, endedAt: 6, outcome: 'failed', worker: null }),
    ]);
  });

  it('leave out what a worker ended without calling the method', () => {
    const stacktrace = [stackOf('one'), stackOf('expired', null)] as never;
    expect(attempts({ stacktrace }, { state: 'expired', attempt: 1 })).toHaveLength(1);
  });

  it('have the lost ones between them', () => {
    const stacktrace = [stackOf('one', { lost: 1 }), stackOf('two', { number: 2, lost: 1 })] as never;
    const read = attempts(
      { stacktrace, stalledCounter: 3, processedBy: 'w2' },
      { state: 'running', attempt: 3, startedAt: 9_000 },
    );
    expect(read.map(({ number, outcome, worker }) => [number, outcome, worker])).toEqual([
      [1, 'lost', null],
      [1, 'retry', 'w1'],
      [2, 'retry', 'w1'],
      [3, 'lost', null],
      [3, 'lost', null],
      [3, null, 'w2'],
    ]);
  });

  it('have those in front of them that BullMQ removed when the task ran again', () => {
    const data = JSON.stringify({ args: [], rerun: { count: 1, abandoned: 0, stacks: [stackOf('old'), 7] } });
    const read = attempts({ data, stacktrace: [stackOf('new')] as never }, { state: 'failed', attempt: 1 });
    expect(read.map(({ error }) => error?.message)).toEqual(['old', 'new']);
  });

  it('are twenty at most, whatever the job counts', () => {
    expect(attempts({ stalledCounter: 1e9 }, { state: 'failed', attempt: 0 })).toHaveLength(20);
    const stacktrace = Array.from({ length: 40 }, (_, at) => stackOf('x', { number: at + 1, lost: 7 })) as never;
    const read = attempts({ stacktrace, stalledCounter: 7 }, { state: 'failed', attempt: 40 });
    expect(read.map(({ number }) => number)).toEqual(Array.from({ length: 20 }, (_, at) => at + 21));
  });

  it.each([
    '',
    'no JSON',
    '{}',
    '[1, null, {}]',
    '["x\\n{\\"name\\":7}"]',
    '["x\\n{\\"name\\":\\"E\\",\\"attempt\\":7}"]',
  ])('are read from any text: %s', (stacktrace) => {
    const json = { stacktrace } as unknown as JobJson;
    expect(() => readAttempts(json, { state: 'failed', attempt: 1 } as TaskRecord)).not.toThrow();
  });

  it('follow each other, although the clock of the worker differs from that of the server', () => {
    const stacktrace = [
      stackOf('one', { started: 110, ended: 131 }),
      stackOf('two', { number: 2, started: 128, ended: 129 }),
    ] as never;
    const read = attempts({ stacktrace }, { state: 'running', attempt: 3, startedAt: 130 });
    expect(read.map(({ startedAt, endedAt }) => [startedAt, endedAt])).toEqual([
      [110, 131],
      [131, 131],
      [131, null],
    ]);
  });

  it('have short stacks, but for the last ones', () => {
    const failure = { name: 'TypeError', message: 'x', stack: `TypeError: x\n${'    at y.ts:1\n'.repeat(500)}` };
    const long = writeFailure(failure, RUN).stack;
    const stacks = shortenStacks([long, long, long, 'short']);
    expect(stacks.map(({ length }) => length < 3_000)).toEqual([true, true, false, true]);
    const [first] = attempts({ stacktrace: stacks as never }, { state: 'failed', attempt: 4 });
    expect(first).toMatchObject({ number: 1, startedAt: 1_000, error: { name: 'TypeError', message: 'x' } });
    expect(shortenStacks(null)).toEqual([]);
  });
});
