import type { JSX } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import { dayAndHour, dayOf, hourOf } from '../format.js';
import { Copy } from './bits.js';
import { scaleOfFont } from './scale.js';
import { theme } from './theme.js';

export interface ChartSeries {
  readonly name: string;
  readonly values: readonly (number | null)[];
  readonly tone: 'good' | 'bad' | 'warn' | 'cool' | 'accent';
  readonly kind: 'area' | 'line' | 'dash' | 'dots' | 'bars';
  /** What the legend shows: the newest value. */
  readonly newest: string;
}

export interface ChartProps {
  readonly title: string;
  /** Seconds since 1970. */
  readonly times: readonly number[];
  readonly series: readonly ChartSeries[];
  readonly format: (value: number) => string;
  /** A sentence for those who do not see the chart. */
  readonly sentence: string;
  readonly isLong: boolean;
  /** What happened at a time and may explain a change, such as a deploy. */
  readonly marks: readonly ChartMark[];
}

export interface ChartMark {
  /** Seconds since 1970. */
  readonly at: number;
  readonly text: string;
}

/** Charts of one key move their cursors together. */
const sync = uPlot.sync('overview');
const HEIGHT = 164;
const FONT = 11;

export function Chart({ title, times, series, format, sentence, isLong, marks }: ChartProps): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const readout = useRef<HTMLParagraphElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const data = [times, ...series.map(({ values }) => values)] as unknown as uPlot.AlignedData;
  const latest = useRef({ series, format, marks });
  latest.current = { series, format, marks };
  const [scale, setScale] = useState(scaleOfFont());
  const shape = series.map(({ name, kind }) => name + kind).join();

  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return undefined;
    const color = (name: string) => resolved(element, `--${name}`);
    const show = (chart: uPlot) => {
      if (!readout.current) return;
      const place = chart.cursor.idx;
      const at = place === null || place === undefined ? undefined : chart.data[0][place];
      readout.current.hidden = at === undefined;
      if (at === undefined || place === null || place === undefined) return;
      const values = latest.current.series.map(({ name, values: own }) => {
        const value = own[place];
        return `${name} ${value === null || value === undefined ? 'none' : latest.current.format(value)}`;
      });
      const step = (chart.data[0][1] ?? 0) - (chart.data[0][0] ?? 0);
      const near = latest.current.marks.filter((mark) => mark.at >= at && mark.at < at + step);
      readout.current.textContent = [timeOf(at, isLong), ...values, ...near.map(({ text }) => text)].join(' · ');
    };
    const options: uPlot.Options = {
      width: Math.max(element.clientWidth, 100),
      height: HEIGHT * scale,
      padding: [20 * scale, 14, 0, 14],
      legend: { show: false },
      cursor: { sync: { key: sync.key }, points: { size: 6 }, y: false, drag: { setScale: false, x: false, y: false } },
      scales: { y: { range: (_, __, most) => [0, niceTop(most)] } },
      axes: [
        {
          stroke: color('soft'),
          grid: { show: false },
          ticks: { show: false },
          font: `${FONT * scale}px system-ui, sans-serif`,
          size: 24 * scale,
          space: 64 * scale,
          values: (_, splits) =>
            splits.map((at) =>
              isLong && splits.length > 1 && (splits[1] as number) - (splits[0] as number) >= 43_200
                ? dayOf(at * 1_000)
                : hourOf(at * 1_000),
            ),
        },
        {
          stroke: color('soft'),
          grid: { stroke: color('line'), width: 1 },
          ticks: { show: false },
          font: `${FONT * scale}px system-ui, sans-serif`,
          size: 0,
          values: () => [],
          splits: (chart) => {
            const top = chart.scales['y']?.max ?? 1;
            return [0, top / 2, top];
          },
        },
      ],
      series: [{}, ...series.map((one) => styleOf(one, color, scale))],
      hooks: {
        draw: [
          (chart) => drawMarks(chart, color, latest.current.marks),
          (chart) => drawLabels(chart, color, { scale, format: (value) => latest.current.format(value) }),
        ],
        setCursor: [show],
      },
    };
    const chart = new uPlot(options, data, element);
    plot.current = chart;
    const observer = new ResizeObserver(() => {
      setScale(scaleOfFont());
      chart.setSize({ width: Math.max(element.clientWidth, 100), height: HEIGHT * scale });
    });
    observer.observe(element);
    const move = (event: KeyboardEvent) => {
      const by = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
      if (by === 0) return;
      event.preventDefault();
      const all = chart.data[0];
      const next = Math.min(Math.max((chart.cursor.idx ?? all.length) + by, 0), all.length - 1);
      chart.setCursor({ left: chart.valToPos(all[next] as number, 'x'), top: 20 });
    };
    element.addEventListener('keydown', move);
    return () => {
      observer.disconnect();
      element.removeEventListener('keydown', move);
      chart.destroy();
      plot.current = undefined;
    };
  }, [shape, theme.value, isLong, scale]);

  useLayoutEffect(() => plot.current?.setData(data), [times, series, marks]);

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
          {series.map(({ name, tone, kind, newest }) => (
            <li key={name}>
              <svg class={`c-${tone === 'accent' ? 'run' : tone}`} viewBox="0 0 16 10" aria-hidden="true">
                {kind === 'bars' ? (
                  <rect class="bars" x="4" width="8" height="10" rx="2" />
                ) : (
                  <path class={`line ${kind === 'dash' ? 'dash' : kind === 'dots' ? 'dots' : ''}`} d="M0 5H16" />
                )}
              </svg>
              {name} <b>{newest}</b>
            </li>
          ))}
        </ul>
      </figcaption>
      <div ref={box} class="plot" role="img" tabIndex={0} aria-labelledby={id} aria-describedby={`${id}-told`} />
      <p ref={readout} class="readout" hidden aria-live="off" />
      <p class="quiet" id={`${id}-told`}>
        {[sentence, ...marks.map(({ at, text }) => `${text} at ${timeOf(at, isLong)}.`)].join(' ')}
      </p>
      <ChartTable title={title} times={times} series={series} format={format} isLong={isLong} />
    </figure>
  );
}

/** The values of a chart, for screen readers and for copying. */
function ChartTable({
  title,
  times,
  series,
  format,
  isLong,
}: Pick<ChartProps, 'title' | 'times' | 'series' | 'format' | 'isLong'>): JSX.Element {
  const [isOpen, setOpen] = useState(false);
  const shown = (value: number | null | undefined) => (value === null || value === undefined ? '–' : format(value));
  const text = () =>
    [
      ['time', ...series.map(({ name }) => name)],
      ...times.map((at, place) => [
        new Date(at * 1_000).toISOString(),
        ...series.map(({ values }) => String(values[place] ?? '')),
      ]),
    ]
      .map((cells) => cells.join('\t'))
      .join('\n');
  return (
    <details class="values" onToggle={({ currentTarget }) => setOpen(currentTarget.open)}>
      <summary>
        Values<span class="quiet"> of {title}</span>
      </summary>
      {isOpen && (
        <>
          <div class="scroll" tabIndex={0} role="region" aria-label={`Values of ${title}`}>
            <table>
              <thead>
                <tr>
                  <th scope="col">Time</th>
                  {series.map(({ name }) => (
                    <th key={name} scope="col" class="num">
                      {name}
                    </th>
                  ))}
                </tr>
              </thead>
              <tbody>
                {times
                  .map((at, place) => (
                    <tr key={at}>
                      <th scope="row">{timeOf(at, isLong)}</th>
                      {series.map(({ name, values }) => (
                        <td key={name} class="num">
                          {shown(values[place])}
                        </td>
                      ))}
                    </tr>
                  ))
                  .toReversed()}
              </tbody>
            </table>
          </div>
          <Copy text={text} label={`Copy the values of ${title}`} />
        </>
      )}
    </details>
  );
}

function timeOf(at: number, isLong: boolean): string {
  return isLong ? dayAndHour(at * 1_000) : hourOf(at * 1_000);
}

function styleOf({ tone, kind, name }: ChartSeries, color: (name: string) => string, scale: number): uPlot.Series {
  const stroke = color(tone);
  const base: uPlot.Series = {
    ...{ label: name, stroke, width: 1.75 * scale, spanGaps: false },
    points: { show: false, size: 5 * scale, fill: stroke, filter: (chart, place) => lonely(chart.data[place] ?? []) },
  };
  if (kind === 'area') return { ...base, fill: alpha(stroke, 0.12) };
  if (kind === 'dash') return { ...base, dash: [5 * scale, 3 * scale] };
  if (kind === 'dots') return { ...base, dash: [1.5 * scale, 3 * scale] };
  if (kind === 'bars')
    return {
      ...base,
      width: 0,
      fill: stroke,
      points: { show: false },
      paths: uPlot.paths.bars?.({ size: [0.7, 14 * scale], align: 0 }) ?? (() => null),
    };
  return base;
}

/** The places of values that no line shows, because there is none before and none after them. */
function lonely(values: ArrayLike<number | null | undefined>): number[] {
  const isNone = (place: number) => values[place] === null || values[place] === undefined;
  return Array.from(values, (_, place) => place).filter(
    (place) => !isNone(place) && isNone(place - 1) && isNone(place + 1),
  );
}

/** A dotted line with a triangle at its top for each mark. */
function drawMarks(chart: uPlot, color: (name: string) => string, marks: readonly ChartMark[]): void {
  const { ctx } = chart;
  const { left, top, width, height } = chart.bbox;
  const ratio = devicePixelRatio;
  ctx.save();
  ctx.strokeStyle = color('soft');
  ctx.fillStyle = color('soft');
  ctx.lineWidth = ratio;
  ctx.setLineDash([2 * ratio, 3 * ratio]);
  for (const { at } of marks) {
    const x = chart.valToPos(at, 'x', true);
    if (x < left || x > left + width) continue;
    ctx.beginPath();
    ctx.moveTo(x, top);
    ctx.lineTo(x, top + height);
    ctx.stroke();
    ctx.beginPath();
    ctx.moveTo(x - 4 * ratio, top - 7 * ratio);
    ctx.lineTo(x + 4 * ratio, top - 7 * ratio);
    ctx.lineTo(x, top - ratio);
    ctx.fill();
  }
  ctx.restore();
}

/** The labels of the y axis stand inside of the plot, on the lines. */
function drawLabels(
  chart: uPlot,
  color: (name: string) => string,
  { scale, format }: { readonly scale: number; readonly format: (value: number) => string },
): void {
  const { ctx } = chart;
  const ratio = devicePixelRatio * scale;
  const top = chart.scales['y']?.max ?? 1;
  ctx.save();
  ctx.font = `${FONT * ratio}px system-ui, sans-serif`;
  ctx.textAlign = 'left';
  ctx.textBaseline = 'alphabetic';
  ctx.lineWidth = 3 * ratio;
  ctx.lineJoin = 'round';
  ctx.strokeStyle = color('card');
  ctx.fillStyle = color('soft');
  for (const value of [top / 2, top]) {
    const y = chart.valToPos(value, 'y', true) - 3 * ratio;
    ctx.strokeText(format(value), 0, y);
    ctx.fillText(format(value), 0, y);
  }
  ctx.restore();
}

/** The next of 1, 2 and 5 times a power of ten. */
function niceTop(most: number): number {
  if (!(most > 0)) return 2;
  const power = 10 ** Math.floor(Math.log10(most));
  const top = [1, 2, 4, 6, 8, 10].find((factor) => factor * power >= most * 1.02) ?? 10;
  return Math.max(top * power, 2);
}

/** A canvas does not follow `light-dark()`, so the colour is read as the browser computes it. */
function resolved(element: HTMLElement, name: string): string {
  const probe = document.createElement('span');
  probe.className = `probe-${name.slice(2)}`;
  element.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

function alpha(color: string, share: number): string {
  const [red = '0', green = '0', blue = '0'] = color.match(/[\d.]+/g) ?? [];
  return `rgba(${red}, ${green}, ${blue}, ${share})`;
}
