import type { JSX } from 'preact';
import type { StatsGroup } from '../../lib/admin/statistics-groups.js';
import type { WorkerInfo } from '../../lib/admin/worker-info.js';
import type { Span } from '../../lib/dashboard/api/api-types.js';
import { count, duration } from '../format.js';
import { now } from '../live.js';
import { Card, Cell, Empty, Id, Row, Table, TaskLink, Text, Title } from '../parts/bits.js';
import { Spark } from '../parts/spark.js';
import { href } from '../router.js';

export function Slowest({ groups, span }: { groups: readonly StatsGroup[]; span: Span }): JSX.Element {
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

export function Longest({ workers }: { workers: readonly WorkerInfo[] }): JSX.Element {
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
