import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { Job, JobJson } from 'bullmq';
import { bullmq } from '../../../../../lib/engine/bullmq/bullmq-package.cjs';
import {
  delayUntilRetry,
  isOutcomeError,
  OutcomeTranslator,
} from '../../../../../lib/engine/bullmq/consumer/outcome-translator.js';
import { readFailure } from '../../../../../lib/engine/bullmq/jobs/job-failure.js';
import type { Outcome } from '../../../../../lib/engine/ports/worker-port.js';
import type { TaskFailure, TaskTree } from '../../../../../lib/engine/task.js';

type Unsuccessful = Exclude<Outcome, { kind: 'succeeded' }>;

const NOW = Date.UTC(2026, 0, 1);
const TOKEN = 'lock token';
const FAILURE: TaskFailure = { name: 'Declined', message: 'no money', code: 'DECLINED', stack: 'Declined: no money' };
const OUTAGE = new Error('connect ECONNREFUSED');
const MEMBER = { id: 'q.2', queue: 'q' } as TaskTree;

const move = {
  toDelayed: jest.fn<(time: number, token?: string) => Promise<void>>(),
  toWait: jest.fn<(token?: string) => Promise<void>>(),
  toWaitingChildren: jest.fn<(token: string) => Promise<boolean>>(),
};
const updateData = jest.fn<(data: object) => Promise<void>>();
const changed = jest.fn<(id: string) => void>();
const cancel = jest.fn<(id: string, reason: string | undefined) => Promise<unknown>>();
const reasonFor = jest.fn<(id: string) => Promise<string | undefined>>();
let job: Job;
let translator: OutcomeTranslator;

beforeEach(() => {
  jest.useFakeTimers({ now: NOW, doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
  jest.resetAllMocks();
  for (const mock of [move.toDelayed, move.toWait]) mock.mockResolvedValue();
  move.toWaitingChildren.mockResolvedValue(true);
  cancel.mockResolvedValue(undefined);
  reasonFor.mockResolvedValue(undefined);
  updateData.mockResolvedValue();
  job = {
    id: 'q.1',
    data: { args: [] },
    opts: { attempts: 1 },
    attemptsMade: 4,
    moveToDelayed: move.toDelayed,
    moveToWait: move.toWait,
    moveToWaitingChildren: move.toWaitingChildren,
    updateData,
    getDependenciesCount: async () => ({}),
  } as unknown as Job;
  const deps = {
    driver: {
      isOutage: (error: unknown) => error === OUTAGE,
      clock: { now: () => 2_000 },
      jobs: { find: async () => [] },
    },
    feed: { changed },
    flows: { addTo: async () => undefined },
    cancel,
  };
  translator = new OutcomeTranslator(deps as never, { reasonFor } as never, { retrying: () => undefined }, 'w1');
});
afterEach(() => void jest.useRealTimers());

/** What BullMQ's processor gets instead of a result. */
async function thrownFor(outcome: Unsuccessful): Promise<Error> {
  return translator
    .translate(outcome, { job, token: TOKEN, hasStarted: true })
    .catch((error: unknown) => error as Error);
}

/** The failure that BullMQ stores of a thrown error. */
function storedFailure({ message, stack }: Error): TaskFailure {
  return readFailure({ failedReason: message, stacktrace: JSON.stringify([stack]) } as JobJson);
}

describe('failed', () => {
  it('throws the error after which BullMQ runs a job no more, with the failure', async () => {
    const error = await thrownFor({ kind: 'failed', failure: FAILURE });
    expect(error).toBeInstanceOf(bullmq.UnrecoverableError);
    expect(isOutcomeError(error)).toBe(true);
    expect(storedFailure(error)).toEqual(FAILURE);
    expect(job.opts.stackTraceLimit).toBe(20);
  });
});

describe('retry', () => {
  it('throws an error after which BullMQ runs the job again, with the failure', async () => {
    const error = await thrownFor({ kind: 'retry', failure: FAILURE, delay: 250 });
    expect(error).not.toBeInstanceOf(bullmq.UnrecoverableError);
    expect(isOutcomeError(error)).toBe(true);
    expect(storedFailure(error)).toEqual(FAILURE);
    expect(job.opts.stackTraceLimit).toBe(20);
  });

  it('leaves BullMQ one more attempt, because the executor counts them', async () => {
    await thrownFor({ kind: 'retry', failure: FAILURE, delay: 250 });
    expect(job.opts.attempts).toBeGreaterThan(job.attemptsMade + 1);
  });

  it.each([0, 250])('has BullMQ ask for the delay, and gives it %d ms', async (delay) => {
    const error = await thrownFor({ kind: 'retry', failure: FAILURE, delay });
    expect(job.opts.backoff).toEqual({ type: 'decided' });
    expect(delayUntilRetry(5, 'decided', error)).toBe(delay);
  });

  it('gives no delay for an error that is not one of these', () => {
    expect(delayUntilRetry(5, 'decided', new Error('other'))).toBe(0);
    expect(delayUntilRetry(5)).toBe(0);
  });
});

describe('postponed', () => {
  it.each([
    { delay: 0, moved: move.toWait, args: [TOKEN], error: bullmq.WaitingError },
    { delay: 1, moved: move.toDelayed, args: [NOW + 1, TOKEN], error: bullmq.DelayedError },
    { delay: 60_000, moved: move.toDelayed, args: [NOW + 60_000, TOKEN], error: bullmq.DelayedError },
  ])('by $delay ms moves the job and throws $error.name', async ({ delay, moved, args, error }) => {
    const thrown = await thrownFor({ kind: 'postponed', delay });
    expect(thrown).toBeInstanceOf(error);
    expect(isOutcomeError(thrown)).toBe(true);
    expect(moved.mock.calls).toEqual([args]);
    expect(changed.mock.calls).toEqual([['q.1']]);
  });

  it.each<[what: string, data: object, hasStarted: boolean, stored: object[]]>([
    ['does not change the data of a task whose method was called', { args: [] }, true, []],
    [
      'counts a task whose method was not called',
      { args: [1], looks: 2 },
      false,
      [{ args: [1], looks: 3, returns: 1 }],
    ],
    ['leaves a job as it is that a newer version stored', { args: [], v: 99 }, false, []],
    ['leaves a job as it is that is no task', { to: 'ada' }, false, []],
  ])('%s', async (_what, data, hasStarted, stored) => {
    job.data = data;
    await translator
      .translate({ kind: 'postponed', delay: 0 }, { job, token: TOKEN, hasStarted })
      .catch(() => undefined);
    expect(updateData.mock.calls).toEqual(stored.map((one) => [one]));
    expect(move.toWait).toHaveBeenCalledTimes(1);
  });

  it('tries again until the server can be reached', async () => {
    move.toWait.mockRejectedValueOnce(OUTAGE).mockRejectedValueOnce(OUTAGE);
    const thrown = thrownFor({ kind: 'postponed', delay: 0 });
    await jest.advanceTimersByTimeAsync(999);
    expect(move.toWait).toHaveBeenCalledTimes(2);
    expect(changed).not.toHaveBeenCalled();
    await jest.advanceTimersByTimeAsync(1);
    expect(await thrown).toBeInstanceOf(bullmq.WaitingError);
    expect(move.toWait).toHaveBeenCalledTimes(3);
    expect(changed).toHaveBeenCalledTimes(1);
  });

  it('counts its delay anew in each of these attempts', async () => {
    move.toDelayed.mockRejectedValueOnce(OUTAGE);
    const thrown = thrownFor({ kind: 'postponed', delay: 1_000 });
    await jest.advanceTimersByTimeAsync(500);
    expect(await thrown).toBeInstanceOf(bullmq.DelayedError);
    expect(move.toDelayed.mock.calls.at(-1)).toEqual([NOW + 1_500, TOKEN]);
  });

  it('throws an error that is no outage: the job could not be moved', async () => {
    const lost = new Error('Missing lock for job q.1. moveToWait');
    move.toWait.mockRejectedValue(lost);
    const thrown = await thrownFor({ kind: 'postponed', delay: 0 });
    expect(thrown).toBe(lost);
    expect(isOutcomeError(thrown)).toBe(false);
    expect(changed).not.toHaveBeenCalled();
  });

  it('throws the outage once the process gives no more tasks back', async () => {
    move.toWait.mockRejectedValue(OUTAGE);
    const thrown = thrownFor({ kind: 'postponed', delay: 0 });
    await jest.advanceTimersByTimeAsync(0);
    translator.abandon();
    await jest.advanceTimersByTimeAsync(500);
    expect(await thrown).toBe(OUTAGE);
    expect(move.toWait).toHaveBeenCalledTimes(2);
  });
});

describe('waiting', () => {
  const WAITING: Unsuccessful = { kind: 'waiting', members: [], note: { group: {} } };

  it('throws the error that has BullMQ leave the job, which waits for its members', async () => {
    const thrown = await thrownFor(WAITING);
    expect(thrown).toBeInstanceOf(bullmq.WaitingChildrenError);
    expect(isOutcomeError(thrown)).toBe(true);
    expect(move.toWaitingChildren).toHaveBeenCalledWith(TOKEN);
    expect(changed.mock.calls).toEqual([['q.1']]);
    expect(cancel).not.toHaveBeenCalled();
  });

  it.each([
    ['enough', 'enough'],
    ['', undefined],
  ])('cancels a task for which a request with the reason %p came after its run', async (stored, reason) => {
    reasonFor.mockResolvedValue(stored);
    expect(await thrownFor(WAITING)).toBeInstanceOf(bullmq.WaitingChildrenError);
    expect(reasonFor).toHaveBeenCalledWith('q.1');
    expect(cancel.mock.calls).toEqual([['q.1', reason]]);
  });

  it('is postponed for half a second when BullMQ has not counted the last end of a member yet', async () => {
    move.toWaitingChildren.mockResolvedValue(false);
    expect(await thrownFor(WAITING)).toBeInstanceOf(bullmq.DelayedError);
    expect(move.toDelayed.mock.calls).toEqual([[NOW + 500, TOKEN]]);
  });

  it('runs again at once when its new members have ended already', async () => {
    move.toWaitingChildren.mockResolvedValue(false);
    expect(await thrownFor({ ...WAITING, members: [MEMBER] })).toBeInstanceOf(bullmq.WaitingError);
    expect(move.toWait.mock.calls).toEqual([[TOKEN]]);
  });
});

it.each([
  ['an Error', new Error('no')],
  ['an error of BullMQ for other purposes', new bullmq.UnrecoverableError('no')],
  ['an error that limits the rate of BullMQ', new bullmq.RateLimitError()],
  ['nothing', undefined],
])('does not take %s for an outcome', (_, error) => {
  expect(isOutcomeError(error)).toBe(false);
});
