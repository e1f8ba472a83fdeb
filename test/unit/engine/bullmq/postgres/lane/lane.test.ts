import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { Job } from 'bullmq';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { EndMessages } from '../../../../../../lib/engine/bullmq/driver.js';
import type { End } from '../../../../../../lib/engine/bullmq/lane/in-lane.js';
import { Lane } from '../../../../../../lib/engine/bullmq/postgres/lane/lane.js';
import type { LaneRow } from '../../../../../../lib/engine/bullmq/postgres/lane/lane-statement.js';
import { LaneSwitch } from '../../../../../../lib/engine/bullmq/postgres/lane/lane-switch.js';
import { Gate } from '../../../../../support/gate.js';

type Query = (params: readonly unknown[]) => Promise<readonly LaneRow[]>;

const OUTAGE = new Error('The server is gone.');
const JOB = { name: 'Mail.send', data: { args: ['secret'] }, opts: {}, attemptsMade: 0, attemptsStarted: 1 };
const ALONE: End = { result: [null, '', 0, 0], finishedOn: 7 };

let query: jest.Mock<Query>;
let takeAlone: jest.Mock<(token: string) => Promise<unknown[]>>;
let storeAlone: jest.Mock<(id: string) => Promise<End>>;
let warn: jest.Mock<(line: string) => void>;
let endMessages: jest.Mock<EndMessages['endMessages']>;
let endFailed: jest.Mock<(id: string) => void>;
let laneSwitch: LaneSwitch;
let lane: Lane;
let isPlanned: boolean;

beforeEach(() => {
  query = jest.fn<Query>().mockImplementation(async (params) => [storedAll(params)]);
  takeAlone = jest.fn<(token: string) => Promise<unknown[]>>().mockResolvedValue([{ id: 'own' }, 'own', 0, 0]);
  storeAlone = jest.fn<(id: string) => Promise<End>>().mockResolvedValue(ALONE);
  warn = jest.fn();
  laneSwitch = new LaneSwitch({ warn });
  endMessages = jest.fn<EndMessages['endMessages']>().mockReturnValue([]);
  endFailed = jest.fn();
  isPlanned = false;
  lane = new Lane({
    queue: 'mails',
    worker: 'w',
    lockDuration: 30_000,
    clockDifference: () => 0,
    query: (params) => query(params),
    isPlanned: () => isPlanned,
    ends: { endMessages, endFailed },
    isOutage: (error) => error === OUTAGE,
    takeAlone,
    laneSwitch,
  });
});

function storedAll(params: readonly unknown[], rest: Partial<LaneRow> = {}): LaneRow {
  return {
    fits: true,
    limited: false,
    refers: false,
    ended: params[1] as string[],
    taken: null,
    next_delay: null,
    ...rest,
  };
}

function end(id: string, wantsNext = true): Promise<End> {
  const token = `token-${id}`;
  const plain = { id, token, result: '1', finishedOn: 5, wantsNext, storeAlone: () => storeAlone(id) };
  return lane.end({ ...plain, value: 1, job: { ...JOB, id } as unknown as Job });
}

const names = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => `job-${from + index}`);
const endAll = (from: number, to: number) => Promise.all(names(from, to).map((id) => end(id)));

it('stores the ends of one turn with one statement, and gives each the job under its token', async () => {
  const row = { id: 'next', lock_token: 'token-job-2', opts: {}, data: { args: [] }, added_at_ms: '1' };
  query.mockImplementation(async (params) => [storedAll(params, { taken: [row as never], next_delay: '900' })]);
  const ends = await endAll(0, 6);
  expect(query).toHaveBeenCalledTimes(1);
  expect(query.mock.calls[0]?.[0]?.[1]).toEqual(names(0, 6));
  expect(ends[2]?.result).toMatchObject([{ id: 'next', data: '{"args":[]}' }, 'next', 0, 0]);
  expect(ends[3]).toEqual({ result: [null, '', 0, 900], finishedOn: 5 });
  expect(storeAlone).not.toHaveBeenCalled();
});

it('asks only for the jobs that the worker wants', async () => {
  const ends = await Promise.all(names(0, 6).map((id, index) => end(id, index === 0)));
  expect(query.mock.calls[0]?.[0]?.[5]).toEqual(['token-job-0']);
  expect(ends[1]).toEqual({ result: undefined, finishedOn: 5 });
});

it('a few ends go their own way in the same turn, because one function of BullMQ is faster', async () => {
  const ends = endAll(0, 2);
  await nextTurn();
  expect(storeAlone.mock.calls).toEqual([['job-0'], ['job-1']]);
  expect(await ends).toEqual([ALONE, ALONE]);
  expect(query).not.toHaveBeenCalled();
});

it('a single end goes with the statement where the server keeps its plan', async () => {
  isPlanned = true;
  expect(await end('job-0')).toEqual({ result: [null, '', 0, 0], finishedOn: 5 });
  expect(query.mock.calls[0]?.[0]?.[1]).toEqual(['job-0']);
  expect(storeAlone).not.toHaveBeenCalled();
});

describe('messages to watchers', () => {
  beforeEach(() => {
    isPlanned = true;
    endMessages.mockImplementation((id) => (id === 'job-1' ? [{ channel: 'inbox', message: 'sealed' }] : []));
  });

  it('are sent with the statement, and tell what it stores', async () => {
    await endAll(0, 3);
    expect(query.mock.calls[0]?.[0]?.slice(10)).toEqual([['job-1'], ['inbox'], ['sealed']]);
    const success = endMessages.mock.calls[1]?.[1]();
    expect(success?.slice(-4)).toEqual(['1', '1', '5', '1']);
    expect(JSON.stringify(success)).not.toContain('secret');
    expect(endFailed).not.toHaveBeenCalled();
  });

  it('come later when there are many ends', async () => {
    await endAll(0, 4);
    expect(query.mock.calls[0]?.[0]?.slice(10)).toEqual([[], [], []]);
    expect(endMessages).not.toHaveBeenCalled();
  });

  it('of an end that is not stored are made anew', async () => {
    query.mockImplementation(async (params) => [storedAll(params, { ended: null })]);
    expect(await end('job-1')).toEqual(ALONE);
    expect(endFailed.mock.calls).toEqual([['job-1']]);
    query.mockRejectedValue(OUTAGE);
    await expect(end('job-1')).rejects.toBe(OUTAGE);
    expect(endFailed).toHaveBeenCalledTimes(2);
  });
});

it('ends that come while statements are under way share the next one', async () => {
  const gate = new Gate();
  query.mockImplementation(async (params) => {
    await gate.opened;
    return [storedAll(params)];
  });
  const all: Promise<unknown>[] = [];
  for (let from = 0; from < 40; from += 10) {
    all.push(endAll(from, from + 10));
    await nextTurn();
    await nextTurn();
  }
  expect(query).toHaveBeenCalledTimes(2);
  gate.open();
  await Promise.all(all);
  expect(query.mock.calls.map(([params]) => (params[1] as string[]).length)).toEqual([10, 10, 20]);
});

it('an end that the statement leaves out goes its own way', async () => {
  query.mockImplementation(async (params) => [storedAll(params, { ended: names(1, 6) })]);
  storeAlone.mockRejectedValue(new Error('Missing lock for job job-0. moveToFinished'));
  const ends = await Promise.allSettled(names(0, 6).map((id) => end(id)));
  expect(ends.map(({ status }) => status)).toEqual(['rejected', ...Array(5).fill('fulfilled')]);
  expect(storeAlone.mock.calls).toEqual([['job-0']]);
});

it('after an outage the worker tries each end again', async () => {
  query.mockRejectedValueOnce(OUTAGE);
  const ends = await Promise.allSettled(names(0, 6).map((id) => end(id)));
  expect(ends.every((one) => one.status === 'rejected' && one.reason === OUTAGE)).toBe(true);
  expect(storeAlone).not.toHaveBeenCalled();
});

it('after any other error each end goes its own way, and the queue leaves the lane for a while', async () => {
  query.mockRejectedValueOnce(new Error('unsupported Unicode escape sequence'));
  expect(await endAll(0, 6)).toEqual(names(0, 6).map(() => ALONE));
  expect([laneSwitch.isOn('mails'), laneSwitch.isOn('other')]).toEqual([false, true]);
});

it('in a queue with a limit, the next jobs are taken one by one', async () => {
  query.mockImplementation(async (params) => [storedAll(params, { refers: true, limited: true })]);
  const ends = await endAll(0, 5);
  expect(takeAlone.mock.calls.map(([token]) => token)).toEqual(names(0, 5).map((id) => `token-${id}`));
  expect(ends[0]).toEqual({ result: [{ id: 'own' }, 'own', 0, 0], finishedOn: 5 });
  expect(laneSwitch.isOn('mails')).toBe(false);
});

it('an end that is stored does not fail because no next job can be taken', async () => {
  query.mockImplementation(async (params) => [storedAll(params, { refers: true })]);
  takeAlone.mockRejectedValue(OUTAGE);
  expect(await endAll(0, 5)).toEqual(names(0, 5).map(() => ({ result: undefined, finishedOn: 5 })));
});

it('tables of another version switch the lane off for good, with one line', async () => {
  query.mockImplementation(async (params) => [storedAll(params, { fits: false, ended: null })]);
  expect(await endAll(0, 5)).toEqual(names(0, 5).map(() => ALONE));
  await endAll(5, 10);
  expect(laneSwitch.isOn('mails')).toBe(false);
  expect(warn).toHaveBeenCalledTimes(1);
  expect(warn.mock.calls[0]?.[0]).toContain('do not have version 11');
});

it('a statement that cannot run switches the lane off for good, with one line', async () => {
  query.mockRejectedValueOnce(Object.assign(new Error('column "parent_queue" does not exist'), { code: '42703' }));
  expect(await endAll(0, 5)).toEqual(names(0, 5).map(() => ALONE));
  expect(laneSwitch.isOn('other')).toBe(false);
  expect(warn.mock.calls).toEqual([[expect.stringContaining('column "parent_queue" does not exist')]]);
});

it('takes jobs for empty places with the statement that stores the ends of the turn', async () => {
  const rows = ['a', 'b'].map((token) => ({
    id: `id-${token}`,
    lock_token: token,
    opts: {},
    data: {},
    added_at_ms: '1',
  }));
  query.mockImplementation(async (params) => [storedAll(params, { taken: rows as never })]);
  const taking = lane.take(['a', 'b', 'c']);
  const ended = await end('job-0', false);
  const { jobs, none } = await taking;
  expect(query).toHaveBeenCalledTimes(1);
  expect(query.mock.calls[0]?.[0]?.[6]).toEqual(['a', 'b', 'c']);
  expect([...jobs].map(([token, [, id]]) => [token, id])).toEqual([
    ['a', 'id-a'],
    ['b', 'id-b'],
  ]);
  expect(none).toEqual([null, '', 0, 0]);
  expect(ended.finishedOn).toBe(5);
});

it("gives no answer for places where BullMQ's own function has to take the jobs", async () => {
  query.mockImplementationOnce(async (params) => [storedAll(params, { refers: true })]);
  expect((await lane.take(['a', 'b'])).none).toBeUndefined();
  query.mockRejectedValueOnce(new Error('permission denied for table migration'));
  expect((await lane.take(['a', 'b'])).none).toBeUndefined();
  query.mockRejectedValueOnce(OUTAGE);
  await expect(lane.take(['a', 'b'])).rejects.toBe(OUTAGE);
});
