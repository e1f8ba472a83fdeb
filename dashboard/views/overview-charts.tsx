import type { JSX } from 'preact';
import { useMemo } from 'preact/hooks';
import type { Percentiles } from '../../lib/admin/task-stats.js';
import type { WorkerInfo } from '../../lib/admin/worker-info.js';
import type { Series, Span } from '../../lib/dashboard/api/api-types.js';
import { count, duration, plural } from '../format.js';
import { Text } from '../parts/bits.js';
import { Chart } from '../parts/chart/chart.js';
import type { ChartMark, ChartSeries } from '../parts/chart/chart-series.js';
import { Icon } from '../parts/icon.js';
import { Part } from '../parts/resource.js';
import { withQuery } from '../router.js';
import { useSeries } from './use-series.js';

const UNIT: Readonly<Record<Span, string>> = { hour: 'a minute', day: 'in 20 min', week: 'in 2 h' };

/** The charts of one queue, which the address names. */
export function ChartsOfQueue({
  queue,
  span,
  workers,
}: {
  queue: string;
  span: Span;
  workers: readonly WorkerInfo[];
}): JSX.Element {
  const series = useSeries(span, queue);
  return (
    <>
      <p class="row">
        Charts of
        <a
          class="chip"
          href={withQuery({ queue: undefined })}
          aria-label={`Show the charts of all queues, not of ${queue} alone`}
        >
          <span>queue</span>{' '}
          <b>
            <Text>{queue}</Text>
          </b>
          <Icon name="close" />
        </a>
      </p>
      <Part of={series} what="The charts" rows={5}>
        {(data) => <Charts series={data} workers={workers.filter(({ queues }) => queues.includes(queue))} />}
      </Part>
    </>
  );
}

/** Workers that started within this time of each other, in seconds, started together. */
const TOGETHER = 120;

/** When workers started: after a deploy, mostly. Workers that started together are one mark. */
function startsOf(workers: readonly WorkerInfo[]): readonly ChartMark[] {
  const marks: { at: number; last: number; amount: number; versions: Set<string> }[] = [];
  for (const { startedAt, version } of workers.toSorted((one, other) => (one.startedAt < other.startedAt ? -1 : 1))) {
    const at = Date.parse(startedAt) / 1_000;
    const known = marks.at(-1);
    if (known && at - known.last < TOGETHER) {
      known.amount++;
      known.last = at;
      known.versions.add(version);
    } else marks.push({ at, last: at, amount: 1, versions: new Set([version]) });
  }
  const isMixed = new Set(workers.map(({ version }) => version)).size > 1;
  return marks.map(({ at, amount, versions }) => ({
    at,
    text: `${plural(amount, 'worker')} started${isMixed ? ` (${[...versions].join(', ')})` : ''}`,
  }));
}

export function Charts({ series, workers }: { series: Series; workers: readonly WorkerInfo[] }): JSX.Element {
  const ids = workers.map(({ id }) => id).join();
  // The view is drawn each second, and the charts only when they change.
  return useMemo(() => <AllCharts series={series} starts={startsOf(workers)} />, [series, ids]);
}

function AllCharts({ series, starts }: { series: Series; starts: readonly ChartMark[] }): JSX.Element {
  const { points, span, depth } = series;
  const times = points.map(({ at }) => Date.parse(at) / 1_000);
  const last = points.at(-1);
  const isLong = span !== 'hour';
  const marks = starts.filter(({ at }) => at >= (times[0] ?? 0));
  const common = { times, isLong, marks };
  const most = points.reduce((top, point) => Math.max(top, point.failed + point.retried), 0);
  const newest = depth.findLast((one) => one !== null);
  return (
    <section class="card charts" aria-label={`The last ${span}`}>
      <Chart
        {...common}
        title={`Throughput, ${UNIT[span]}`}
        format={(value) => count(Math.round(value))}
        sentence={`${count(points.reduce((all, point) => all + point.succeeded, 0))} tasks succeeded and ${count(points.reduce((all, point) => all + point.enqueued, 0))} were enqueued in the last ${span}.`}
        series={[
          {
            name: 'succeeded',
            tone: 'good',
            kind: 'area',
            values: points.map(({ succeeded }) => succeeded),
            newest: count(last?.succeeded ?? 0),
          },
          {
            name: 'enqueued',
            tone: 'cool',
            kind: 'dash',
            values: points.map(({ enqueued }) => enqueued),
            newest: count(last?.enqueued ?? 0),
          },
        ]}
      />
      <Chart
        {...common}
        title={`Failures, ${UNIT[span]}`}
        format={(value) => count(Math.round(value * 10) / 10)}
        sentence={
          most === 0
            ? `No task failed or was retried in the last ${span}.`
            : `Up to ${count(most)} tasks failed or were retried ${UNIT[span]}.`
        }
        series={[
          {
            name: 'failed or retried',
            tone: 'warn',
            kind: 'bars',
            values: points.map(({ failed, retried }) => failed + retried),
            newest: count((last?.failed ?? 0) + (last?.retried ?? 0)),
          },
          {
            name: 'failed',
            tone: 'bad',
            kind: 'bars',
            values: points.map(({ failed }) => failed),
            newest: count(last?.failed ?? 0),
          },
        ]}
      />
      <Chart
        {...common}
        title="Queue depth, at most"
        format={(value) => count(Math.round(value))}
        sentence={`${count(newest?.queued ?? 0)} tasks wait and ${count(newest?.running ?? 0)} run. The line begins when this process of the application has started.`}
        series={[
          {
            name: 'waiting',
            tone: 'cool',
            kind: 'area',
            values: depth.map((one) => one?.queued ?? null),
            newest: count(newest?.queued ?? 0),
          },
          {
            name: 'running',
            tone: 'accent',
            kind: 'dash',
            values: depth.map((one) => one?.running ?? null),
            newest: count(newest?.running ?? 0),
          },
        ]}
      />
      <Chart
        {...common}
        title="Wait before a start"
        format={duration}
        sentence={`Half of the tasks of the last step waited ${ms(last?.wait.p50)}, the slowest hundredth ${ms(last?.wait.p99)}.`}
        series={percentiles(points.map(({ wait }) => wait))}
      />
      <Chart
        {...common}
        title="Run time"
        format={duration}
        sentence={`Half of the attempts of the last step took ${ms(last?.run.p50)}, the slowest hundredth ${ms(last?.run.p99)}.`}
        series={percentiles(points.map(({ run }) => run))}
      />
    </section>
  );
}

function percentiles(values: readonly Percentiles[]): readonly ChartSeries[] {
  const line = (name: keyof Percentiles, tone: ChartSeries['tone'], kind: ChartSeries['kind']): ChartSeries => {
    const own = values.map((value) => value[name]);
    return { name, tone, kind, values: own, newest: ms(own.findLast((value) => value !== null)) };
  };
  return [line('p50', 'accent', 'line'), line('p95', 'cool', 'dash'), line('p99', 'warn', 'dots')];
}

function ms(value: number | null | undefined): string {
  return value === null || value === undefined ? 'none' : duration(value);
}
