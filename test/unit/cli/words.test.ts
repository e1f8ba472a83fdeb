import { expect, it } from '@jest/globals';
import { ageText, count, durationText, timeText } from '../../../lib/cli/words.js';

it.each([
  [0, '0ms'],
  [-5, '0ms'],
  [999, '999ms'],
  [12_000, '12s'],
  [61_000, '1m 1s'],
  [3_600_000, '1h'],
  [7_260_000, '2h 1m'],
  [90_000_000, '1d 1h'],
  [86_400_000, '1d'],
])('%d ms are %s', (milliseconds, text) => {
  expect(durationText(milliseconds)).toBe(text);
});

it('an age counts from now, and no time has none', () => {
  expect(ageText('2026-11-27T03:00:00.000Z', Date.parse('2026-11-27T03:10:00.000Z'))).toBe('10m');
  expect(ageText(null, 0)).toBeNull();
});

it('a time is shown in UTC without fractions', () => {
  expect(timeText('2026-11-27T03:10:05.123Z')).toBe('2026-11-27 03:10:05');
});

it.each([
  [0, '0 tasks'],
  [1, '1 task'],
  [1_200, '1,200 tasks'],
])('%d', (number, text) => {
  expect(count(number, 'task')).toBe(text);
});
