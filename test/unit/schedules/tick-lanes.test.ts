import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import { topologyOf } from '../../../lib/engine/shards/topology.js';
import { EngineUnavailableError } from '../../../lib/errors.js';
import type { DueTick } from '../../../lib/schedules/schedule-book.js';
import type { Schedule } from '../../../lib/schedules/schedule.js';
import { TickLanes, type TickLanesDeps } from '../../../lib/schedules/tick-lanes.js';
import type { TicksRun } from '../../../lib/schedules/tick-runner.js';
import { until } from '../../support/until.js';

const topology = topologyOf(['media'], new Map([['films', 'media']]));
const scheduleOf = (queue: string) => ({ stored: { template: { queue } } }) as unknown as Schedule;
const [film, mail] = [scheduleOf('films'), scheduleOf('mail')];
const dueOf = (...schedules: Schedule[]): DueTick[] => schedules.map((schedule) => ({ schedule, tick: 1_000 }));
const outage = new EngineUnavailableError('away');

const now = performance.now.bind(performance);
let passed = 0;
beforeAll(() => void jest.spyOn(performance, 'now').mockImplementation(() => now() + passed));
afterAll(() => void jest.restoreAllMocks());
const passASecond = () => void (passed += 1_000);

function lanesWith(run: TickLanesDeps['run'], ping = async () => undefined as void) {
  const ended = jest.fn();
  const onError = jest.fn();
  const lanes = new TickLanes({
    engine: { now: () => 5_000, shards: [{ name: 'media', ping }] },
    topology,
    run,
    onEnd: ended,
    onError,
  });
  return { lanes, ended, onError };
}

it('the ticks of one shard do not wait for those of another', async () => {
  let release: (run: TicksRun) => void = () => undefined;
  const { lanes, ended } = lanesWith(([first]) =>
    first?.schedule === film
      ? new Promise((resolve) => (release = resolve))
      : Promise.resolve({ isComplete: true, outage: undefined }),
  );
  lanes.start(dueOf(film, mail));
  await until(() => !lanes.isHeld(mail));
  expect([lanes.isHeld(film), lanes.since(mail)]).toEqual([true, -Infinity]);
  release({ isComplete: true, outage: undefined });
  await until(() => !lanes.isHeld(film));
  expect(ended).toHaveBeenCalledTimes(2);
});

it('the ticks of a shard that could not be reached count as missed, and are tried again once it answers', async () => {
  let answers = false;
  const run = jest.fn<TickLanesDeps['run']>(async () => ({ isComplete: false, outage }));
  const { lanes, ended } = lanesWith(run, async () => {
    if (!answers) throw outage;
  });
  lanes.start(dueOf(film));
  await until(() => ended.mock.calls.length === 1);
  expect([lanes.isHeld(film), lanes.isHeld(mail)]).toEqual([true, false]);
  passASecond();
  expect(lanes.isHeld(film)).toBe(false);
  lanes.start(dueOf(film));
  await until(() => ended.mock.calls.length === 2);
  expect([run.mock.calls.length, lanes.isHeld(film), lanes.since(film)]).toEqual([1, true, -Infinity]);
  passASecond();
  answers = true;
  lanes.start(dueOf(film));
  await until(() => ended.mock.calls.length === 3);
  expect([run.mock.calls.length, lanes.isHeld(film), lanes.since(film)]).toEqual([1, false, 5_000]);
});

it('an error of another kind is told, and its shard is tried again', async () => {
  const { lanes, ended, onError } = lanesWith(async () => {
    throw new Error('broken');
  });
  lanes.start(dueOf(film));
  await until(() => ended.mock.calls.length === 1);
  expect(lanes.isHeld(film)).toBe(true);
  passASecond();
  expect(lanes.isHeld(film)).toBe(false);
  expect(onError).toHaveBeenCalledWith(expect.objectContaining({ message: 'broken' }));
});
