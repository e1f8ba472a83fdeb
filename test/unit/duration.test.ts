import { expect, it } from '@jest/globals';
import { parseDuration, parseTimerDuration, type Duration } from '../../lib/duration.js';

it.each([
  [0, 0],
  [1.5, 2],
  ['1.2ms', 1],
  [0.1, 1],
  ['250ms', 250],
  ['10s', 10_000],
  ['1.5m', 90_000],
  ['2h', 7_200_000],
  ['1d', 86_400_000],
] as const)('parseDuration converts %j to %d ms', (value, milliseconds) => {
  expect(parseDuration(value, 'it')).toBe(milliseconds);
});

it.each(['365250d', 365_250 * 86_400_000] as const)('parseDuration takes %j, a thousand years', (value) => {
  expect(parseDuration(value, 'it')).toBe(365_250 * 86_400_000);
});

it.each(['365251d', '99999999999999999999d', 1e17, Number.MAX_SAFE_INTEGER] as const)(
  'parseDuration refuses %j, after which no time is one that a store can hold',
  (value) => {
    expect(() => parseDuration(value, 'task timeout')).toThrow(/^task timeout is .*longer than a thousand years/);
  },
);

const NONE = ['', '10', '5 minutes', 's', '-1s', '1w', 'PT5M', `${'1'.repeat(200)}s`, -1, Number.NaN, Infinity, null];

it.each([...NONE, undefined, {}])('parseDuration refuses %j', (value) => {
  expect(() => parseDuration(value as Duration, 'task timeout')).toThrow(/^task timeout is .*'10s'/);
});

it.each([
  ['24d', 2_073_600_000],
  [2 ** 31 - 1, 2 ** 31 - 1],
] as const)('parseTimerDuration converts %j, which a timer can wait for, to %d ms', (value, milliseconds) => {
  expect(parseTimerDuration(value, 'it')).toBe(milliseconds);
});

it.each<Duration>(['25d', 2 ** 31])('parseTimerDuration refuses %j, with which a timer would fire at once', (value) => {
  expect(() => parseTimerDuration(value, 'enqueueTimeout')).toThrow(/^enqueueTimeout is .*'24d'/);
});
