import { dayAndHour, hourOf } from '../../format.js';

/** A time of a chart in words, by the reader's clock. */
export function timeOf(at: number, isLong: boolean): string {
  return isLong ? dayAndHour(at * 1_000) : hourOf(at * 1_000);
}
