import type { JSX } from 'preact';
import { isZoneKnown } from '../../format.js';
import { ChartCursor, ChartReadout, pointing } from './chart-cursor.js';
import { ChartPlot } from './chart-plot.js';
import { scaleOf } from './chart-scale.js';
import { colorOf, type ChartData, type ChartSeries } from './chart-series.js';
import { ChartTable } from './chart-table.js';
import { timeOf } from './chart-time.js';

export interface ChartProps extends ChartData {
  readonly title: string;
  /** A sentence for those who do not see the chart. */
  readonly sentence: string;
}

export function Chart({ title, sentence, ...data }: ChartProps): JSX.Element {
  const { times, series, format, isLong, marks } = data;
  const scale = scaleOf(data);
  const id = title.replaceAll(/\W+/g, '-').toLowerCase();
  return (
    <figure class="chart">
      <figcaption>
        <h3 id={id}>{title}</h3>
        {marks.length > 0 && (
          <span class="marks" aria-hidden="true">
            <svg viewBox="0 0 10 10">
              <path d="M1 2h8L5 9z" />
            </svg>
            workers started
          </span>
        )}
        <ul class="legend">
          {series.map((one) => (
            <li key={one.name}>
              <Sample of={one} /> {one.name} <b>{one.newest}</b>
            </li>
          ))}
        </ul>
      </figcaption>
      <div
        class="plot"
        role="img"
        tabIndex={0}
        aria-labelledby={id}
        aria-describedby={`${id}-told`}
        {...pointing(times)}
      >
        <svg>
          <ChartPlot {...data} scale={scale} />
          <ChartCursor times={times} series={series} scale={scale} />
        </svg>
      </div>
      <ChartReadout {...data} />
      <p class="quiet" id={`${id}-told`}>
        {[
          sentence,
          ...(isZoneKnown.value ? marks.map(({ at, text }) => `${text} at ${timeOf(at, isLong)}.`) : []),
        ].join(' ')}
      </p>
      <ChartTable title={title} times={times} series={series} format={format} isLong={isLong} />
    </figure>
  );
}

/** How a series is drawn, for the legend. */
function Sample({ of: { tone, kind } }: { of: ChartSeries }): JSX.Element {
  return (
    <svg class={colorOf(tone)} viewBox="0 0 16 10" aria-hidden="true">
      {kind === 'bars' ? (
        <rect class="bars" x="4" width="8" height="10" rx="2" />
      ) : (
        <path class={`line ${kind === 'dash' || kind === 'dots' ? kind : ''}`} d="M0 5H16" />
      )}
    </svg>
  );
}
