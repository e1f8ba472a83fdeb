import { beforeEach, expect, it, jest } from '@jest/globals';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Job } from 'bullmq';
import type { LaneReply } from '../../../../../../lib/engine/bullmq/redis/lane/lane-script.js';
import type { End } from '../../../../../../lib/engine/bullmq/lane/in-lane.js';
import { MOST_JOBS, RedisLane } from '../../../../../../lib/engine/bullmq/redis/lane/redis-lane.js';

type Run = (now: number, ends: readonly (readonly string[])[], tokens: readonly string[]) => Promise<LaneReply>;

const OUTAGE = new Error('The server is gone.');
const ALONE: End = { result: [null, '', 0, 0], finishedOn: 7 };

let run: jest.Mock<Run>;
let takeAlone: jest.Mock<(token: string) => Promise<unknown[]>>;
let storeAlone: jest.Mock<(id: string) => Promise<End>>;
let onRefused: jest.Mock<(error: Error) => void>;
let onEndAlone: jest.Mock<(id: string) => void>;
let lane: RedisLane;

beforeEach(() => {
  run = jest.fn<Run>().mockResolvedValue([[], '', 0, '0']);
  takeAlone = jest.fn<(token: string) => Promise<unknown[]>>().mockResolvedValue([{ id: 'own' }, 'own', 0, 0]);
  storeAlone = jest.fn<(id: string) => Promise<End>>().mockResolvedValue(ALONE);
  onRefused = jest.fn();
  onEndAlone = jest.fn();
  lane = new RedisLane({
    clockDifference: () => 1_000,
    run,
    toJob: (fields, id) => [{ fields }, id, 0, 0],
    isOutage: (error) => error === OUTAGE,
    takeAlone,
    onRefused,
    onEndAlone,
  });
});

function end(id: string, wantsNext = true): Promise<End> {
  const token = `token-${id}`;
  const plain = { id, token, result: '1', finishedOn: 5, wantsNext, storeAlone: () => storeAlone(id) };
  return lane.end({ ...plain, value: 1, job: { id } as Job });
}

const endAll = (count: number) => Promise.all(Array.from({ length: count }, (_, n) => end(`job-${n}`)));

it('stores the ends of one turn with two scripts, and gives each the job under its token', async () => {
  run.mockResolvedValue([[], JSON.stringify([['token-job-2', 'next', ['name', 'x']]]), 0, '900']);
  const answers = await endAll(5);
  expect(run.mock.calls.map(([, ends]) => ends.length)).toEqual([3, 2]);
  expect(run.mock.calls[0]?.[1][0]).toEqual(['job-0', 'token-job-0', '1', '1005', '1']);
  expect(answers[2]).toEqual({ result: [{ fields: ['name', 'x'] }, 'next', 0, 0], finishedOn: 5 });
  expect(answers[3]).toEqual({ result: [undefined, '', 0, 900], finishedOn: 5 });
});

it('runs a script for so many ends only as Redis does in a few milliseconds, and two at a time', async () => {
  const open: (() => void)[] = [];
  run.mockImplementation(async () => {
    await new Promise<void>((resolve) => open.push(resolve));
    return [[], '', 0, '0'];
  });
  const all = endAll(3 * MOST_JOBS);
  await nextTurn();
  expect(run.mock.calls.map(([, ends]) => ends.length)).toEqual([MOST_JOBS, MOST_JOBS]);
  for (const resolve of open.splice(0)) resolve();
  while (open.length === 0) await nextTurn();
  for (const resolve of open.splice(0)) resolve();
  expect(await all).toHaveLength(3 * MOST_JOBS);
  expect(run.mock.calls.map(([, ends]) => ends.length)).toEqual([MOST_JOBS, MOST_JOBS, MOST_JOBS / 2, MOST_JOBS / 2]);
});

it('announces an end before the script that stores it alone', async () => {
  const sent: string[] = [];
  onEndAlone.mockImplementation((id) => void sent.push(`announced ${id}`));
  run.mockImplementation(async (_, ends) => {
    sent.push(`stored ${ends.length}`);
    return [[], '', 0, '0'];
  });
  await end('only');
  await endAll(4);
  expect(sent).toEqual(['announced only', 'stored 1', 'stored 2', 'stored 2']);
});

it('stores the ends that the script leaves out in the own way of BullMQ', async () => {
  run.mockImplementation(async (_, [first]) => [[first?.[0] ?? ''], '', 0, '0']);
  expect((await endAll(4))[0]).toEqual(ALONE);
});

it('asks BullMQ for the next job where the queue has a limit', async () => {
  run.mockResolvedValue([[], '', 1, '0']);
  const answers = await endAll(4);
  expect(takeAlone).toHaveBeenCalledTimes(4);
  expect(answers[0]).toEqual({ result: [{ id: 'own' }, 'own', 0, 0], finishedOn: 5 });
  expect(await lane.take(['a', 'b'])).toEqual({ jobs: new Map(), none: undefined });
});

it('rejects the ends during an outage, so that the worker stores them again', async () => {
  run.mockRejectedValue(OUTAGE);
  const all = Array.from({ length: 4 }, (_, n) => end(`job-${n}`));
  for (const one of all) await expect(one).rejects.toBe(OUTAGE);
  await expect(lane.take(['a', 'b'])).rejects.toBe(OUTAGE);
  expect(onRefused).not.toHaveBeenCalled();
});

it('leaves the ends to BullMQ when Redis does not run the script', async () => {
  run.mockRejectedValue(new Error('NOPERM'));
  expect(await endAll(4)).toEqual([ALONE, ALONE, ALONE, ALONE]);
  expect(onRefused).toHaveBeenCalled();
});

it('takes one job with a script that is sent on another client', async () => {
  const other = jest.fn<Run>();
  other.mockResolvedValueOnce([[], JSON.stringify([['token', 'next', ['name', 'x']]]), 0, '0']);
  expect(await lane.takeOne('token', other)).toEqual([{ fields: ['name', 'x'] }, 'next', 0, 0]);
  expect(other.mock.calls).toEqual([[expect.any(Number), [], ['token']]]);
  other.mockResolvedValueOnce([[], '', 0, '900']);
  expect(await lane.takeOne('token', other)).toEqual([undefined, '', 0, 900]);
  expect(run).not.toHaveBeenCalled();
});

it('leaves a request on another client to BullMQ where the queue has a limit, and whatever goes wrong', async () => {
  const other = jest.fn<Run>();
  other.mockResolvedValueOnce([[], '', 1, '0']);
  expect(await lane.takeOne('token', other)).toBeUndefined();
  other.mockRejectedValueOnce(OUTAGE);
  expect(await lane.takeOne('token', other)).toBeUndefined();
  expect(onRefused).not.toHaveBeenCalled();
  other.mockRejectedValueOnce(new Error('NOPERM'));
  expect(await lane.takeOne('token', other)).toBeUndefined();
  expect(onRefused).toHaveBeenCalledTimes(1);
});
