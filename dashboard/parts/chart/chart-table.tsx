import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { Copy } from '../bits.js';
import type { ChartData } from './chart-series.js';
import { timeOf } from './chart-time.js';

/** The values of a chart, for screen readers and for copying. */
export function ChartTable({
  title,
  times,
  series,
  format,
  isLong,
}: Omit<ChartData, 'marks'> & { title: string }): JSX.Element {
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
