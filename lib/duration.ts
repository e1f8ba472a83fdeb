import ms, { type StringValue } from 'ms';
import { ConfigurationError } from './errors.js';

/**
 * A length of time: a number of milliseconds, or a text of a number and a unit, for example `'250ms'`, `'10s'`,
 * `'1.5m'`, `'2h'` or `'1d'`. It must not be negative, and not be longer than a thousand years.
 */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`;

const TEXT = /^\d{1,20}(\.\d{1,20})?(ms|s|m|h|d)$/;

/** Milliseconds: a thousand years. The time after a longer one is no time that a `Date`, or the store, can hold for certain. */
const LONGEST = 365_250 * 86_400_000;

/** The longest delay of a timer: 2^31 - 1 ms, or 24.8 days. Node fires a timer with a longer delay at once. */
export const MAX_TIMER = 2 ** 31 - 1;

/**
 * Converts a duration to whole milliseconds.
 *
 * @param name the name of the option in the error
 * @throws ConfigurationError with the option and the value
 */
export function parseDuration(value: Duration, name: string): number {
  const milliseconds = typeof value === 'string' && TEXT.test(value) ? ms(value as StringValue) : value;
  // PostgreSQL stores whole milliseconds only.
  if (typeof milliseconds === 'number' && milliseconds >= 0 && milliseconds <= LONGEST)
    return milliseconds > 0 ? Math.max(Math.round(milliseconds), 1) : 0;
  const isTooLong = typeof milliseconds === 'number' && milliseconds > LONGEST && milliseconds !== Infinity;
  throw new ConfigurationError(
    `${name} is ${JSON.stringify(value) ?? String(value)}, ${isTooLong ? 'longer than a thousand years' : 'which is not a duration'}. Give milliseconds, or a text such as '250ms', '10s', '5m', '2h', '1d'.`,
  );
}

/**
 * Converts a duration that one of Node's own timers has to wait for.
 *
 * @throws ConfigurationError also for a duration over 24.8 days, with which the timer would fire at once
 */
export function parseTimerDuration(value: Duration, name: string): number {
  const milliseconds = parseDuration(value, name);
  if (milliseconds <= MAX_TIMER) return milliseconds;
  throw new ConfigurationError(`${name} is ${JSON.stringify(value)}. Give at most '24d'.`);
}
