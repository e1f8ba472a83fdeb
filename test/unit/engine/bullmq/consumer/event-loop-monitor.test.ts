import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { EventLoopMonitor } from '../../../../../lib/engine/bullmq/consumer/event-loop-monitor.js';

const LIMIT = 5_000;
const INTERVAL = 500;

const onBlocked = jest.fn<(milliseconds: number) => void>();
let now = 0;
let monitor: EventLoopMonitor;

beforeEach(() => {
  jest.useFakeTimers();
  onBlocked.mockReset();
  now = 10_000;
  jest.spyOn(performance, 'now').mockImplementation(() => now);
  monitor = new EventLoopMonitor(LIMIT, onBlocked);
});
afterEach(() => {
  monitor.stop();
  jest.restoreAllMocks();
  jest.useRealTimers();
});

/** Lets the next timer run, late by as long as the event loop was blocked. */
function runTimer(late = 0): void {
  now += INTERVAL + late;
  jest.advanceTimersByTime(INTERVAL);
}

it('reports nothing while its timer runs in time', () => {
  for (let measurement = 0; measurement < 100; measurement++) runTimer();
  expect(onBlocked).not.toHaveBeenCalled();
});

it.each([
  [LIMIT - 1, []],
  [LIMIT, []],
  [LIMIT + 1, [[LIMIT + 1]]],
  [60_000, [[60_000]]],
])('of a block of %d ms it reports %j', (late, reports) => {
  runTimer(late);
  expect(onBlocked.mock.calls).toEqual(reports);
});

it('reports each block once', () => {
  runTimer(6_000);
  runTimer();
  runTimer(7_000);
  runTimer();
  expect(onBlocked.mock.calls).toEqual([[6_000], [7_000]]);
});

it('reports a block before its timer runs when a task ends, and not again', () => {
  now += INTERVAL + 6_000;
  monitor.measure();
  expect(onBlocked.mock.calls).toEqual([[6_000]]);
  jest.advanceTimersByTime(INTERVAL);
  expect(onBlocked).toHaveBeenCalledTimes(1);
});

it('does not add up the time between tasks that end one after the other', () => {
  for (let task = 0; task < 100; task++) {
    now += 400;
    monitor.measure();
  }
  expect(onBlocked).not.toHaveBeenCalled();
});

it('measures no more once it is stopped', () => {
  monitor.stop();
  runTimer(60_000);
  expect(onBlocked).not.toHaveBeenCalled();
  expect(jest.getTimerCount()).toBe(0);
});
