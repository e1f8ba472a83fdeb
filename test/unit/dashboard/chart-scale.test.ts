import { describe, expect, test } from '@jest/globals';
import { areaOf, barsOf, dotsOf, lineOf, niceTop, scaleOf } from '../../../dashboard/parts/chart/chart-scale.js';
import type { ChartSeries } from '../../../dashboard/parts/chart/chart-series.js';

const times = [60, 120, 180, 240, 300];

function seriesOf(...values: (number | null)[]): ChartSeries {
  return { name: 'succeeded', tone: 'good', kind: 'line', newest: '', values };
}

describe('the scale of a chart', () => {
  test('goes over the whole width, and from nothing to a round value above all series', () => {
    const scale = scaleOf({ times, series: [seriesOf(1, 2, 3, 4, 5), seriesOf(0, 37, null, 0, 0)] });
    expect([scale.x(60), scale.x(180), scale.x(300)]).toEqual([0, 50, 100]);
    expect([scale.top, scale.y(0), scale.y(20), scale.y(40)]).toEqual([40, 100, 50, 0]);
  });

  test.each([
    [0, 2],
    [0.4, 2],
    [2, 4],
    [5, 6],
    [9.9, 10],
    [98, 100],
    [101, 200],
    [1_234_567, 2_000_000],
  ])('has above %d the round value %d', (most, top) => {
    expect(niceTop(most)).toBe(top);
  });

  test('is the middle when there is one time alone, and draws nothing of none', () => {
    const one = scaleOf({ times: [60], series: [seriesOf(3)] });
    expect(one.x(60)).toBe(50);
    const none = scaleOf({ times: [], series: [seriesOf()] });
    for (const shape of [lineOf, areaOf, barsOf, dotsOf]) expect(shape([], [], none)).toBe('');
  });
});

describe('the shapes of a chart', () => {
  const values = [1, 2, null, 3.9, null];
  const scale = scaleOf({ times, series: [seriesOf(...values)] });

  test('break where there is no value', () => {
    expect(lineOf(values, times, scale)).toMatch(/^M0,75L25,50M75,2.5/);
    expect(areaOf(values, times, scale)).toMatch(/^M0,75L25,50L25,100L0,100ZM75,2.5/);
  });

  test('have a dot for a value without a neighbour', () => {
    expect(dotsOf(values, times, scale)).toBe('M75,2.5h0');
  });

  test('have a bar around the time of each value that is more than nothing', () => {
    expect(barsOf([1, 0, null, 3.9, 0], times, scale)).toBe('M-8.75,100V75h17.5V100ZM66.25,100V2.5h17.5V100Z');
  });
});
