import type { JSX } from 'preact';
import type { Overview, Span } from '../../lib/dashboard/api/api-types.js';
import { count } from '../format.js';
import { overview, storeError } from '../live.js';
import { Bones, Card, Head, Tabs } from '../parts/bits.js';
import { Part } from '../parts/resource.js';
import { place, withQuery } from '../router.js';
import { Charts, ChartsOfQueue } from './overview-charts.js';
import { Figures } from './overview-figures.js';
import { Problems } from './overview-problems.js';
import { Queues } from './overview-queues.js';
import { Longest, Slowest } from './overview-tasks.js';
import { useSeries } from './use-series.js';

const SPANS = ['hour', 'day', 'week'] as const;

export function OverviewView(): JSX.Element {
  const asked = place.value.query.get('span') as Span | null;
  const span = asked && SPANS.includes(asked) ? asked : 'hour';
  const queue = place.value.query.get('queue') ?? undefined;
  const series = useSeries(span);
  const store = overview.value;
  return (
    <>
      <Head
        title="Overview"
        acts={
          <Tabs
            label="Span of time"
            items={SPANS.map((one) => ({
              key: one,
              text: one[0]?.toUpperCase() + one.slice(1),
              href: withQuery({ span: one === 'hour' ? undefined : one }),
              on: one === span,
            }))}
          />
        }
      >
        {headline(store)}
      </Head>
      {store && <Problems of={store} />}
      {!store && storeError.value === undefined && (
        <Card>
          <Bones rows={2} />
        </Card>
      )}
      {store && <Figures store={store} series={series.data} span={span} />}
      {queue === undefined ? (
        <Part of={series} what="The charts" rows={5}>
          {(data) => <Charts series={data} workers={store?.workers ?? []} />}
        </Part>
      ) : (
        <ChartsOfQueue key={queue} queue={queue} span={span} workers={store?.workers ?? []} />
      )}
      {store && <Queues queues={store.queues} groups={series.data?.queues ?? []} workers={store.workers} span={span} />}
      <div class="cols two">
        {series.data && <Slowest groups={series.data.names} span={span} />}
        {store && <Longest workers={store.workers} />}
      </div>
    </>
  );
}

function headline(store: Overview | undefined): string {
  if (!store) return storeError.value === undefined ? 'Reading the store …' : 'The store cannot be read.';
  const { length } = store.problems;
  if (length === 0) return 'Everything runs as it should.';
  return length === 1 ? 'One thing needs you.' : `${count(length)} things need you.`;
}
