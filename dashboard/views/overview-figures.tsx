import type { JSX } from 'preact';
import type { QueueInfo } from '../../lib/admin/queue-overview.js';
import type { Overview, Series, Span } from '../../lib/dashboard/api/api-types.js';
import { count, plural, rough, share } from '../format.js';
import { now } from '../live.js';

/** The figures of now and of the span. */
export function Figures({
  store,
  series,
  span,
}: {
  store: Overview;
  series: Series | undefined;
  span: Span;
}): JSX.Element {
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
