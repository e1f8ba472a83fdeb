import { area, line } from 'd3-shape';
import type { ChartData, ChartSeries } from './chart-series.js';

/**
 * The place of times and values in a chart, in percent of its width and its height from the top left. Percent need no width: the
 * same markup fits every screen, and a server can make it.
 */
export interface ChartScale {
  readonly x: (at: number) => number;
  readonly y: (value: number) => number;
  /** The value at the top. */
  readonly top: number;
}

export function scaleOf({ times, series }: Pick<ChartData, 'times' | 'series'>): ChartScale {
  const [first = 0, last = first] = [times[0], times.at(-1)];
  const span = last - first;
  let most = 0;
  for (const { values } of series) for (const value of values) if (value !== null && value > most) most = value;
  const top = niceTop(most);
  return {
    x: (at) => (span > 0 ? rounded(((at - first) / span) * 100) : 50),
    y: (value) => rounded(100 - (value / top) * 100),
    top,
  };
}

/** The next of 1, 2, 4, 6, 8 and 10 times a power of ten. */
export function niceTop(most: number): number {
  if (!(most > 0)) return 2;
  const power = 10 ** Math.floor(Math.log10(most));
  const top = [1, 2, 4, 6, 8, 10].find((factor) => factor * power >= most * 1.02) ?? 10;
  return Math.max(top * power, 2);
}

/** The line through the values; it breaks where there is none. */
export function lineOf(values: ChartSeries['values'], times: readonly number[], { x, y }: ChartScale): string {
  const path = line<number | null>()
    .defined((value) => value !== null)
    .x((_, place) => x(times[place] ?? 0))
    .y((value) => y(value ?? 0));
  return path(values as (number | null)[]) ?? '';
}

/** What is below of the line. */
export function areaOf(values: ChartSeries['values'], times: readonly number[], { x, y }: ChartScale): string {
  const path = area<number | null>()
    .defined((value) => value !== null)
    .x((_, place) => x(times[place] ?? 0))
    .y0(100)
    .y1((value) => y(value ?? 0));
  return path(values as (number | null)[]) ?? '';
}

/** Dots for values that no line shows, because there is none before and none after them. */
export function dotsOf(values: ChartSeries['values'], times: readonly number[], { x, y }: ChartScale): string {
  const isNone = (place: number) => values[place] === null || values[place] === undefined;
  return values
    .map((value, place) =>
      value !== null && isNone(place - 1) && isNone(place + 1) ? `M${x(times[place] ?? 0)},${y(value)}h0` : '',
    )
    .join('');
}

/** The share of a step that a bar is wide. */
const WIDTH = 0.7;

/** One path with a bar for each value that is more than nothing. */
export function barsOf(values: ChartSeries['values'], times: readonly number[], { x, y }: ChartScale): string {
  const width = rounded((WIDTH * 100) / Math.max(times.length - 1, 1));
  return values
    .map((value, place) =>
      value !== null && value > 0 ? `M${rounded(x(times[place] ?? 0) - width / 2)},100V${y(value)}h${width}V100Z` : '',
    )
    .join('');
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}
