import { timeTicks } from 'd3-time';
import type { JSX } from 'preact';
import { dayOf, hourOf, isZoneKnown } from '../../format.js';
import { colorOf, type ChartData, type ChartSeries } from './chart-series.js';
import { areaOf, barsOf, dotsOf, lineOf, type ChartScale } from './chart-scale.js';

/** About as many labels as the axis of times has. */
const LABELS = 4;

/**
 * The drawing of a chart. It is as wide as its box by itself: what is placed by percent needs no width, and paths stand in a square that is stretched, with strokes
 * that are not.
 */
export function ChartPlot({
  times,
  series,
  marks,
  format,
  isLong,
  scale,
}: ChartData & { scale: ChartScale }): JSX.Element {
  const lines = [scale.top, scale.top / 2, 0];
  return (
    <>
      {lines.map((value) => (
        <line key={value} class="grid" x1="0" x2="100%" y1={`${scale.y(value)}%`} y2={`${scale.y(value)}%`} />
      ))}
      {marks.map(({ at }) => (
        <svg key={at} class="mark" x={`${scale.x(at)}%`} overflow="visible">
          <line x1="0" x2="0" y1="0" y2="100%" />
          <path d="M-4-7h8L0-1z" />
        </svg>
      ))}
      <svg viewBox="0 0 100 100" preserveAspectRatio="none" width="100%" height="100%" overflow="visible">
        {series.map((one) => (
          <g key={one.name} class={colorOf(one.tone)}>
            <Shape of={one} times={times} scale={scale} />
          </g>
        ))}
      </svg>
      {lines.slice(0, 2).map((value) => (
        <text key={value} class="tick" x="-0.8rem" y={`${scale.y(value)}%`} dy="-3">
          {format(value)}
        </text>
      ))}
      {isZoneKnown.value &&
        timesOf(times, isLong).map(([at, text]) => (
          <text key={at} class="tick" x={`${scale.x(at)}%`} y="100%" dy="1.5em" text-anchor="middle">
            {text}
          </text>
        ))}
    </>
  );
}

function Shape({
  of: { kind, values },
  times,
  scale,
}: {
  of: ChartSeries;
  times: readonly number[];
  scale: ChartScale;
}): JSX.Element {
  if (kind === 'bars') return <path class="bars" d={barsOf(values, times, scale)} />;
  return (
    <>
      {kind === 'area' && <path class="area" d={areaOf(values, times, scale)} />}
      <path class={`line ${kind === 'dash' || kind === 'dots' ? kind : ''}`} d={lineOf(values, times, scale)} />
      <path class="line lonely" d={dotsOf(values, times, scale)} />
    </>
  );
}

/** Round times of the reader's clock, with their labels. */
function timesOf(times: readonly number[], isLong: boolean): (readonly [at: number, text: string])[] {
  const [first, last] = [times[0], times.at(-1)];
  if (first === undefined || last === undefined) return [];
  return timeTicks(new Date(first * 1_000), new Date(last * 1_000), LABELS).map((time) => {
    const isDay = isLong && time.getHours() === 0 && time.getMinutes() === 0;
    return [time.getTime() / 1_000, isDay ? dayOf(time.getTime()) : hourOf(time.getTime())];
  });
}
