import { signal } from '@preact/signals';
import { bisectCenter } from 'd3-array';
import type { HTMLAttributes, JSX } from 'preact';
import { timeOf } from './chart-time.js';
import { colorOf, type ChartData } from './chart-series.js';
import type { ChartScale } from './chart-scale.js';

/** The time that the reader points at, in seconds since 1970: in all charts at once. */
const pointed = signal<number | undefined>(undefined);

/** What a plot needs so that its reader can point at times, with the mouse or with arrow keys. */
export function pointing(times: readonly number[]): HTMLAttributes<HTMLDivElement> {
  return {
    onMouseMove: ({ currentTarget, clientX }) => {
      const box = currentTarget.firstElementChild?.getBoundingClientRect();
      if (!box || box.width === 0) return;
      const [first = 0, last = first] = [times[0], times.at(-1)];
      pointed.value = times[bisectCenter(times, first + ((clientX - box.left) / box.width) * (last - first))];
    },
    onMouseLeave: leave,
    onBlur: leave,
    onKeyDown: (event) => {
      const by = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
      if (by === 0) return;
      event.preventDefault();
      const place = placeIn(times) ?? times.length;
      pointed.value = times[Math.min(Math.max(place + by, 0), times.length - 1)];
    },
  };
}

function leave(): void {
  pointed.value = undefined;
}

function placeIn(times: readonly number[]): number | undefined {
  if (pointed.value === undefined) return undefined;
  const place = times.indexOf(pointed.value);
  return place < 0 ? undefined : place;
}

/** A line at the time that the reader points at, with a point on each series. */
export function ChartCursor({
  times,
  series,
  scale,
}: Pick<ChartData, 'times' | 'series'> & { scale: ChartScale }): JSX.Element | null {
  const place = placeIn(times);
  if (place === undefined) return null;
  const x = `${scale.x(times[place] ?? 0)}%`;
  return (
    <>
      <line class="cursor" x1={x} x2={x} y1="0" y2="100%" />
      {series.map(({ name, tone, values }) => {
        const value = values[place];
        if (value === null || value === undefined) return null;
        return <circle key={name} class={`bars ${colorOf(tone)}`} cx={x} cy={`${scale.y(value)}%`} r="0.2rem" />;
      })}
    </>
  );
}

/** The values at the time that the reader points at, and what happened in its step. */
export function ChartReadout({ times, series, marks, format, isLong }: ChartData): JSX.Element {
  const place = placeIn(times);
  return (
    <p class="readout" hidden={place === undefined} aria-live="off">
      {place !== undefined && text(place)}
    </p>
  );

  function text(at: number): string {
    const time = times[at] ?? 0;
    const step = (times[1] ?? 0) - (times[0] ?? 0);
    const values = series.map(({ name, values: own }) => {
      const value = own[at];
      return `${name} ${value === null || value === undefined ? 'none' : format(value)}`;
    });
    const near = marks.filter((mark) => mark.at >= time && mark.at < time + step);
    return [timeOf(time, isLong), ...values, ...near.map((mark) => mark.text)].join(' · ');
  }
}
