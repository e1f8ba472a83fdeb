import ms, { type StringValue } from 'ms';
import { ConfigurationError } from './errors.js';

/** Milliseconds, or a number with a unit: `'250ms'`, `'10s'`, `'5m'`, `'2h'`, `'1d'`. */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`;

const TEXT = /^\d+(\.\d+)?(ms|s|m|h|d)$/;

/** The longest time a timer can hold (2^31 - 1 ms, 24.8 days); Node fires at once beyond it. */
export const MAX_TIMER = 2 ** 31 - 1;

/**
 * A duration in milliseconds.
 *
 * @param name how the option is called in the error
 * @throws ConfigurationError naming the option and the value
 */
export function parseDuration(value: Duration, name: string): number {
  const milliseconds = typeof value === 'string' && TEXT.test(value) ? ms(value as StringValue) : value;
  if (typeof milliseconds === 'number' && Number.isFinite(milliseconds) && milliseconds >= 0) return milliseconds;
  throw new ConfigurationError(
    `${name} is ${JSON.stringify(value) ?? String(value)}, which is no duration. Give milliseconds, or a text such as '250ms', '10s', '5m', '2h', '1d'.`,
  );
}
