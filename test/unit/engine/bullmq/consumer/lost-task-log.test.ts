import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import type { Logger } from '@nestjs/common';
import { LostTaskLog } from '../../../../../lib/engine/bullmq/consumer/lost-task-log.js';

const warn = jest.fn<(line: string) => void>();
const error = jest.fn<(line: string) => void>();
let log: LostTaskLog;

beforeEach(() => {
  jest.useFakeTimers();
  warn.mockReset();
  error.mockReset();
  log = new LostTaskLog({ warn, error } as unknown as Logger);
});
afterEach(() => void jest.useRealTimers());

const lines = (mock: typeof warn) => mock.mock.calls.map(([line]) => line);

it('writes one line for the tasks that get lost within a quarter of a second', () => {
  log.addLost('q.1', 'a');
  jest.advanceTimersByTime(249);
  log.addLost('q.2', 'b');
  expect(warn).not.toHaveBeenCalled();
  jest.advanceTimersByTime(1);
  expect(lines(warn)).toEqual([expect.stringMatching(/lost its lock on a \(q\.1\), b \(q\.2\):/)]);
  expect(error).not.toHaveBeenCalled();
});

it('writes an error of tasks that ended the processes that ran them', () => {
  log.addGivenUp('q.1', 'a');
  jest.advanceTimersByTime(250);
  expect(lines(error)).toEqual([expect.stringMatching(/ a \(q\.1\) .*does not run again/)]);
  expect(warn).not.toHaveBeenCalled();
});

it('writes a line for each of the two reasons', () => {
  log.addLost('q.1', 'a');
  log.addGivenUp('q.2', 'b');
  jest.advanceTimersByTime(250);
  expect(lines(warn)).toEqual([expect.stringContaining('a (q.1)')]);
  expect(lines(error)).toEqual([expect.stringContaining('b (q.2)')]);
});

it('names a task once, and of many tasks five', () => {
  for (let task = 0; task < 20; task++) log.addLost(`q.${task % 10}`, 'a');
  jest.advanceTimersByTime(250);
  expect(lines(warn)).toEqual([expect.stringContaining('a (q.4) and 5 more')]);
});

it.each([
  ['get lost', 'addLost', warn],
  ['ended their processes', 'addGivenUp', error],
] as const)('writes another line for tasks that %s later, without the earlier ones', (_, add, level) => {
  log[add]('q.1', 'a');
  jest.advanceTimersByTime(250);
  log[add]('q.2', 'b');
  jest.advanceTimersByTime(250);
  expect(lines(level)).toEqual([expect.stringContaining(' a (q.1)'), expect.stringContaining(' b (q.2)')]);
  expect(lines(level)[1]).not.toContain('q.1');
});

it('writes at once when the process ends, and nothing afterwards', () => {
  log.addLost('q.1', 'a');
  log.flush();
  expect(warn).toHaveBeenCalledTimes(1);
  expect(jest.getTimerCount()).toBe(0);
  log.flush();
  jest.advanceTimersByTime(1_000);
  expect(warn).toHaveBeenCalledTimes(1);
  expect(error).not.toHaveBeenCalled();
});
