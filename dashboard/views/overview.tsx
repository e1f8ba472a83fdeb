import type { JSX } from 'preact';
import { useMemo } from 'preact/hooks';
import type { QueueInfo } from '../../lib/admin/queue-overview.js';
import type { StatsGroup } from '../../lib/admin/statistics-groups.js';
import type { Percentiles } from '../../lib/admin/task-stats.js';
import type { WorkerInfo } from '../../lib/admin/worker-info.js';
import type { Overview, Series, Span } from '../../lib/dashboard/api/api-types.js';
import type { Finding } from '../../lib/engine/ports/diagnosis-port.js';
import { ago, count, dayAndHour, duration, exact, hourOf, plural, rough, share } from '../format.js';
import { now, overview, storeError } from '../live.js';
import { Act, ask, perform } from '../parts/acts.js';
import {
  Ago,
  Bones,
  Card,
  Cell,
  Empty,
  Head,
  Id,
  QueueLink,
  Row,
  State,
  Table,
  Tabs,
  TaskLink,
  Text,
  Title,
} from '../parts/bits.js';
import { Chart, type ChartMark, type ChartSeries } from '../parts/chart.js';
import { Icon } from '../parts/icon.js';
import { Part, useResource } from '../parts/resource.js';
import { Spark } from '../parts/spark.js';
import { href, place, withQuery } from '../router.js';
import { editQueue } from './queue-settings.js';

const SPANS = ['hour', 'day', 'week'] as const;
const UNIT: Readonly<Record<Span, string>> = { hour: 'a minute', day: 'in 20 min', week: 'in 2 h' };
/** Milliseconds between two reads of the charts. */
const REFRESH: Readonly<Record<Span, number>> = { hour: 10_000, day: 60_000, week: 300_000 };

export function OverviewView(): JSX.Element {
  const asked = place.value.query.get('span') as Span | null;
  const span = asked && SPANS.includes(asked) ? asked : 'hour';
  const queue = place.value.query.get('queue') ?? undefined;
  const series = useResource<Series>(['series'], { span }, Math.floor(now.value / REFRESH[span]));
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

function Problems({ of }: { of: Overview }): JSX.Element {
  if (of.problems.length === 0) {
    return (
      <section class="card calm" aria-label="What is wrong right now">
        <Icon name="succeeded" />
        <div>
          <p>
            <strong>Nothing is wrong.</strong> No queue stands still, no worker was lost, no schedule is broken.
          </p>
          <p class="soft">
            Read <Ago time={of.at} />.
          </p>
        </div>
      </section>
    );
  }
  return (
    <section class="card problems" aria-labelledby="wrong">
      <h2 class="quiet" id="wrong">
        What is wrong right now
      </h2>
      {of.problems.map((problem) => (
        <Problem key={problem.text} problem={problem} queues={of.queues} />
      ))}
    </section>
  );
}

function Problem({ problem, queues }: { problem: Finding; queues: readonly QueueInfo[] }): JSX.Element {
  const queue = queues.find(({ name }) => problem.text.startsWith(`Queue ${name} `));
  const [first = '', ...others] = problem.text.split(/(?<=\.)\s/);
  return (
    <div class={`problem ${problem.level === 'fail' ? 'bad' : 'warn'}`}>
      <Icon name={problem.level === 'fail' ? 'fail' : 'warn'} />
      <div>
        <p>
          <strong>
            <Times text={first} />
          </strong>{' '}
          <Times text={others.join(' ')} />
        </p>
        {problem.check !== 'paused' && problem.cure && (
          <p>
            <Text>{problem.cure}</Text>
          </p>
        )}
      </div>
      <div class="row">
        {problem.check === 'paused' && queue ? (
          <Act icon="play" onClick={() => resume(queue.name)}>
            Resume
          </Act>
        ) : problem.check === 'schedules' ? (
          <a class="button" href={href(['schedules'])}>
            See the schedules
          </a>
        ) : problem.check === 'backlog' && queue ? (
          <a class="button" href={href(['tasks'], { queue: queue.name, state: 'running' })}>
            See what runs
          </a>
        ) : (
          <a class="button" href={href(['workers'])}>
            See the workers
          </a>
        )}
      </div>
    </div>
  );
}

/** A problem comes with times in UTC, as the command line prints it. The reader gets them in the zone of the browser. */
function Times({ text }: { text: string }): JSX.Element {
  return (
    <Text>
      {text.split(/(\d{4}-\d{2}-\d{2} \d{2}:\d{2} UTC)/).map((part, place_) => {
        if (place_ % 2 === 0) return part;
        const at = Date.parse(part.replace(' UTC', 'Z').replace(' ', 'T'));
        const isToday = now.value - at < 43_200_000;
        return (
          <time key={part} dateTime={new Date(at).toISOString()} title={exact(at)}>
            {isToday ? hourOf(at) : dayAndHour(at)}, {ago(at, now.value)}
          </time>
        );
      })}
    </Text>
  );
}

export function pause(queue: string): void {
  ask({
    title: `Pause ${queue}?`,
    text: 'Workers start none of its tasks until it is resumed. Running tasks go on, new ones wait.',
    button: 'Pause',
    fields: (values, set) => (
      <label class="stack">
        <span>Why, for your colleagues</span>
        <input
          value={values['reason'] ?? ''}
          maxLength={200}
          onInput={(event) => set('reason', event.currentTarget.value)}
        />
      </label>
    ),
    run: ({ reason }) =>
      perform('pause', { queue, reason }, `${queue} is paused.`, {
        undo: ['resume', { queue }, `${queue} goes on.`],
      }),
  });
}

export function resume(queue: string): void {
  void perform('resume', { queue }, `${queue} goes on.`, { undo: ['pause', { queue }, `${queue} is paused.`] });
}

function Figures({ store, series, span }: { store: Overview; series: Series | undefined; span: Span }): JSX.Element {
  const { queues, workers } = store;
  const alive = workers.filter(({ state }) => state === 'alive');
  const lost = workers.length - alive.length;
  const sum = (of: (queue: QueueInfo) => number) => queues.reduce((total, queue) => total + of(queue), 0);
  const places = alive.reduce(
    (total, { concurrency }) => total + Object.values(concurrency).reduce((one, other) => one + other, 0),
    0,
  );
  const waiting = sum(({ counts }) => counts.queued);
  const most = queues.toSorted((one, other) => other.counts.queued - one.counts.queued)[0];
  const oldest = queues
    .filter(({ oldestQueuedAt }) => oldestQueuedAt !== null)
    .toSorted((one, other) => Date.parse(one.oldestQueuedAt as string) - Date.parse(other.oldestQueuedAt as string))[0];
  const wait = oldest ? now.value - Date.parse(oldest.oldestQueuedAt as string) : 0;
  const total = (of: 'succeeded' | 'failed' | 'retried') =>
    series?.points.reduce((all, point) => all + point[of], 0) ?? 0;
  const succeeded = total('succeeded');
  const failed = total('failed');
  const per = `/ ${span}`;
  return (
    <dl class="card figures" aria-label="Now">
      <Figure
        name="Running"
        value={count(sum(({ counts }) => counts.running))}
        unit={places > 0 ? `of ${count(places)} places` : ''}
      >
        {`${plural(alive.length, 'worker')}${lost > 0 ? `, ${lost} lost` : ''}`}
      </Figure>
      <Figure name="Waiting" value={count(waiting)}>
        {waiting > 0 && most
          ? `${count(most.counts.queued)} of them in ${most.name}`
          : `${count(sum(({ counts }) => counts.scheduled))} scheduled`}
      </Figure>
      <Figure name="Oldest wait" value={oldest ? rough(Math.max(wait, 0)) : '–'} tone={wait > 600_000 ? 'bad' : ''}>
        {oldest ? oldest.name : 'no task waits'}
      </Figure>
      <Figure name="Succeeded" value={count(succeeded)} unit={per}>
        {compared(succeeded, series?.before.succeeded, span)}
      </Figure>
      <Figure
        name="Failed"
        value={count(failed)}
        unit={per}
        tone={failed > 0 && failed > 2 * (series?.before.failed ?? 0) ? 'bad' : ''}
      >
        {`${share(failed, failed + succeeded)}, was ${share(series?.before.failed ?? 0, (series?.before.failed ?? 0) + (series?.before.succeeded ?? 0))}`}
      </Figure>
      <Figure name="Retried" value={count(total('retried'))} unit={per}>
        {`${count(series?.before.retried ?? 0)} the ${span} before`}
      </Figure>
    </dl>
  );
}

function compared(value: number, before: number | undefined, span: Span): string {
  if (!before) return `none the ${span} before`;
  const percent = Math.round((value / before - 1) * 100);
  return percent === 0
    ? 'same as before'
    : `${count(Math.abs(percent))} % ${percent > 0 ? 'more' : 'fewer'} than before`;
}

function Figure({
  name,
  value,
  unit = '',
  tone = '',
  children,
}: {
  name: string;
  value: string;
  unit?: string;
  tone?: string;
  children: string;
}): JSX.Element {
  return (
    <div>
      <dt>{name}</dt>
      <dd class={tone}>
        {value} {unit && <small>{unit}</small>}
      </dd>
      <dd title={children}>{children}</dd>
    </div>
  );
}

/** The charts of one queue, which the address names. */
function ChartsOfQueue({
  queue,
  span,
  workers,
}: {
  queue: string;
  span: Span;
  workers: readonly WorkerInfo[];
}): JSX.Element {
  const series = useResource<Series>(['series'], { span, queue }, Math.floor(now.value / REFRESH[span]));
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

function Charts({ series, workers }: { series: Series; workers: readonly WorkerInfo[] }): JSX.Element {
  const { points, span, depth } = series;
  const times = points.map(({ at }) => Date.parse(at) / 1_000);
  const last = points.at(-1);
  const isLong = span !== 'hour';
  const starts = workers.map(({ id }) => id).join();
  const marks = useMemo(() => startsOf(workers).filter(({ at }) => at >= (times[0] ?? 0)), [starts, times[0]]);
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

function Queues({
  queues,
  groups,
  workers,
  span,
}: {
  queues: readonly QueueInfo[];
  groups: readonly StatsGroup[];
  workers: readonly WorkerInfo[];
  span: Span;
}): JSX.Element {
  if (queues.length === 0) {
    return (
      <Card>
        <Empty icon="tray" title="No queue yet">
          A queue appears when its first task is enqueued, or when a worker that takes from it starts.
        </Empty>
      </Card>
    );
  }
  return (
    <Card title="Queues" aside={`rates of the last ${span}`}>
      <Table
        label="Queues"
        columns={[
          { key: 'queue', text: 'Queue' },
          { key: 'state', text: 'State' },
          { key: 'waiting', text: 'Waiting', class: 'num' },
          { key: 'running', text: 'Running' },
          { key: 'oldest', text: 'Oldest wait', class: 'num mid-off' },
          { key: 'succeeded', text: 'Succeeded', class: 'num' },
          { key: 'failed', text: 'Failed', class: 'num' },
          { key: 'spark', text: `Last ${span}`, class: 'mid-off' },
          { key: 'acts', text: <span class="quiet">Acts</span>, class: 'acts' },
        ]}
      >
        {queues.map((queue) => (
          <Queue
            key={queue.name}
            queue={queue}
            group={groups.find((group) => group.queue === queue.name)}
            workers={workers}
          />
        ))}
      </Table>
    </Card>
  );
}

function Queue({
  queue,
  group,
  workers,
}: {
  queue: QueueInfo;
  group: StatsGroup | undefined;
  workers: readonly WorkerInfo[];
}): JSX.Element {
  const { name, counts, paused, oldestQueuedAt, globalConcurrency, rateLimit } = queue;
  const alive = workers.filter(({ state }) => state === 'alive');
  const places = alive.reduce((total, { concurrency }) => total + (concurrency[name] ?? 0), 0);
  // A limit counts runs. A run of a batch takes many tasks, and it is tasks that run.
  const size = Math.max(1, ...alive.map(({ batchSizes }) => batchSizes[name] ?? 1));
  const room = globalConcurrency.inForce === null ? places : Math.min(places, globalConcurrency.inForce * size);
  const wait = oldestQueuedAt === null ? null : Math.max(now.value - Date.parse(oldestQueuedAt), 0);
  const state = paused
    ? 'paused'
    : queue.workers === 0
      ? counts.queued + counts.scheduled > 0
        ? 'lost'
        : 'none'
      : 'consumed';
  const failed = group?.total.failed ?? 0;
  return (
    <Row>
      <Title>
        <QueueLink name={name} />{' '}
        {globalConcurrency.inForce !== null && (
          <span class="tag">{`${count(globalConcurrency.inForce)} ${size > 1 ? 'runs ' : ''}at once${globalConcurrency.override ? ', set here' : ''}`}</span>
        )}{' '}
        {rateLimit.inForce !== null && (
          <span class="tag">{`${count(rateLimit.inForce.max)} in ${duration(rateLimit.inForce.per)}${rateLimit.override ? ', set here' : ''}`}</span>
        )}
      </Title>
      <Cell label="State" class="top">
        {state === 'paused' && <State state="paused" />}
        {state === 'lost' && <State state="lost">No worker</State>}
        {state === 'none' && <span class="soft">No worker</span>}
        {state === 'consumed' && (
          <span class="state">
            <Icon name="check" />
            Consumed
          </span>
        )}
      </Cell>
      <Cell label="Waiting" class="num">
        <a href={href(['tasks'], { queue: name, state: 'queued' })} class={counts.queued === 0 ? 'zero' : ''}>
          {count(counts.queued)}
        </a>
      </Cell>
      <Cell label="Running">
        <span class="places">
          <a href={href(['tasks'], { queue: name, state: 'running' })} class={counts.running === 0 ? 'zero' : ''}>
            {count(counts.running)}
            {room > 0 && <span class="soft"> of {count(room)}</span>}
          </a>
          {room > 0 && (
            <progress
              class={`mini ${counts.running >= room ? 'full' : ''}`}
              value={Math.min(counts.running, room)}
              max={room}
              aria-label={`${counts.running} of ${room} places`}
            />
          )}
        </span>
      </Cell>
      <Cell label="Oldest wait" class={`num mid-off ${wait !== null && wait > 600_000 ? 'bad strong' : ''}`}>
        {wait === null ? <span class="soft">–</span> : rough(wait)}
      </Cell>
      <Cell label="Succeeded" class="num">
        {count(group?.total.succeeded ?? 0)}
      </Cell>
      <Cell label="Failed" class="num">
        <a href={href(['errors'], { queue: name })} class={failed === 0 ? 'zero' : 'bad strong'}>
          {count(failed)}
        </a>
      </Cell>
      <Cell label="Throughput" class="full mid-off">
        <a
          class="plain block"
          href={withQuery({ queue: name })}
          aria-label={`Charts of ${name}`}
          title={`Charts of ${name}`}
        >
          <Spark
            values={group?.points.map(({ succeeded, failed: bad }) => succeeded + bad) ?? [0, 0]}
            tone={paused ? 'soft' : 'run'}
          />
        </a>
      </Cell>
      <Cell label="Acts" class="acts full unlabelled">
        <Act class="bare tiny square" icon="gauge" label={`Limits of ${name}`} onClick={() => editQueue(queue)} />
        {paused ? (
          <Act class="tiny" icon="play" onClick={() => resume(name)}>
            Resume
          </Act>
        ) : (
          <Act class="bare tiny" icon="paused" onClick={() => pause(name)}>
            Pause
          </Act>
        )}
      </Cell>
    </Row>
  );
}

function Slowest({ groups, span }: { groups: readonly StatsGroup[]; span: Span }): JSX.Element {
  const shown = groups
    .filter(({ total }) => total.run.p95 !== null)
    .toSorted((one, other) => (other.total.run.p95 ?? 0) - (one.total.run.p95 ?? 0))
    .slice(0, 6);
  return (
    <Card title="Slowest by name" aside={`run time, last ${span}`}>
      {shown.length === 0 ? (
        <Empty icon="scheduled" title="No task ran">
          The tasks that took longest in the last {span} appear here.
        </Empty>
      ) : (
        <Table
          label="Slowest by name"
          columns={[
            { key: 'task', text: 'Task' },
            { key: 'runs', text: 'Runs', class: 'num' },
            { key: 'p50', text: 'p50', class: 'num' },
            { key: 'p95', text: 'p95', class: 'num' },
            { key: 'line', text: 'p95 over time' },
          ]}
        >
          {shown.map(({ queue, name, total, points }) => (
            <Row key={`${queue} ${name}`}>
              <Title>
                <a href={href(['tasks'], { name: name ?? '', queue })}>
                  <Text>{name ?? ''}</Text>
                </a>
              </Title>
              <Cell label="Runs" class="num">
                {count(total.succeeded + total.failed + total.retried)}
              </Cell>
              <Cell label="p50" class="num">
                {duration(total.run.p50 ?? 0)}
              </Cell>
              <Cell label="p95" class="num">
                {duration(total.run.p95 ?? 0)}
              </Cell>
              <Cell label="p95 over time" class="full">
                <Spark values={points.map(({ run }) => run.p95)} />
              </Cell>
            </Row>
          ))}
        </Table>
      )}
    </Card>
  );
}

function Longest({ workers }: { workers: readonly WorkerInfo[] }): JSX.Element {
  const all = workers
    .filter(({ state }) => state === 'alive')
    .flatMap((worker) => worker.running.map((task) => ({ ...task, host: worker.host })))
    .toSorted((one, other) => Date.parse(one.since) - Date.parse(other.since));
  const total = workers.reduce((sum, { state, runningCount }) => sum + (state === 'alive' ? runningCount : 0), 0);
  return (
    <Card
      title="Running the longest"
      aside={<a href={href(['tasks'], { state: 'running' })}>{total > 0 ? `all ${count(total)}` : 'all that run'}</a>}
    >
      {all.length === 0 ? (
        <Empty icon="running" title="No worker reports a running task">
          Workers report what they run every ten seconds. The tasks that have been running for longest appear here.
        </Empty>
      ) : (
        <Table
          label="Running the longest"
          columns={[
            { key: 'task', text: 'Task' },
            { key: 'worker', text: 'Worker' },
            { key: 'since', text: 'For', class: 'num' },
          ]}
        >
          {all.slice(0, 6).map(({ id, name, since, host }) => (
            <Row key={id}>
              <Title>
                <TaskLink id={id} name={name} /> <Id id={id} />
              </Title>
              <Cell label="Worker">
                <Text>{host}</Text>
              </Cell>
              <Cell label="For" class="num">
                {duration(Math.max(now.value - Date.parse(since), 0))}
              </Cell>
            </Row>
          ))}
        </Table>
      )}
    </Card>
  );
}
