import type { JSX } from 'preact';
import type { QueueInfo } from '../../lib/admin/queue-overview.js';
import type { StatsGroup } from '../../lib/admin/statistics-groups.js';
import type { WorkerInfo } from '../../lib/admin/worker-info.js';
import type { Span } from '../../lib/dashboard/api/api-types.js';
import { count, duration, rough } from '../format.js';
import { now } from '../live.js';
import { Act } from '../parts/acts.js';
import { Card, Cell, Empty, QueueLink, Row, State, Table, Title } from '../parts/bits.js';
import { Icon } from '../parts/icon.js';
import { Spark } from '../parts/spark.js';
import { href, withQuery } from '../router.js';
import { pause, resume } from './pause-queue.js';
import { editQueue } from './queue-settings.js';

/** The queues with what waits and runs in each. */
export function Queues({
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
