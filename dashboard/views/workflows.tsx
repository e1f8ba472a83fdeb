import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import type { TaskRow, TaskRows } from '../../lib/dashboard/api/api-types.js';
import { count } from '../format.js';
import { now, statuses, watchTasks } from '../live.js';
import {
  Ago,
  capital,
  Card,
  Cell,
  Empty,
  Head,
  Id,
  Progress,
  Row,
  Since,
  State,
  Table,
  Tabs,
  Text,
  Title,
} from '../parts/bits.js';
import { Part, useResource } from '../parts/resource.js';
import { href, place, withQuery } from '../router.js';

const STATES = ['running', 'waiting', 'failed', 'succeeded', 'cancelled'] as const;

/** The whole workflows that are stored; one opens as a graph. */
export function WorkflowsView(): JSX.Element {
  const { query } = place.value;
  const state = query.get('state') ?? undefined;
  const cursor = query.get('cursor') ?? undefined;
  const rows = useResource<TaskRows>(['tasks'], { workflow: 'true', state, cursor }, Math.floor(now.value / 5_000));
  return (
    <>
      <Head title="Workflows">
        Chains, groups and chords, each as one; its tasks and their order are one click away.
      </Head>
      <Tabs
        label="State"
        items={[undefined, ...STATES].map((one) => ({
          key: one ?? 'all',
          text: one ? capital(one) : 'All',
          href: withQuery({ state: one }),
          on: one === state,
        }))}
      />
      <Part of={rows} what="The workflows" rows={6}>
        {(data) => <List rows={data} />}
      </Part>
    </>
  );
}

function List({ rows }: { rows: TaskRows }): JSX.Element {
  const ids = rows.items.map(({ id }) => id);
  useEffect(() => watchTasks(ids.slice(0, 60)), [ids.join()]);
  useEffect(() => () => watchTasks([]), []);
  const further = rows.cursor === null ? undefined : withQuery({ cursor: rows.cursor });
  if (rows.items.length === 0) {
    return (
      <Card>
        <Empty
          icon="workflows"
          title={further ? 'Nothing in this part' : 'No workflow is stored'}
          acts={
            further && (
              <a class="button" href={further}>
                Look further
              </a>
            )
          }
        >
          {further
            ? 'This page has read as many tasks as one page may.'
            : 'chain(), group() and chord() make workflows of tasks. They appear here as soon as the application enqueues one.'}
        </Empty>
      </Card>
    );
  }
  return (
    <Card>
      <Table
        label="Workflows"
        columns={[
          { key: 'workflow', text: 'Workflow, by its last task' },
          { key: 'state', text: 'State' },
          { key: 'progress', text: 'Progress' },
          { key: 'id', text: 'Id' },
          { key: 'enqueued', text: 'Enqueued', class: 'num' },
          { key: 'took', text: 'Took', class: 'num' },
        ]}
      >
        {rows.items.map((row) => (
          <Line key={row.id} row={statuses.value.get(row.id) ?? row} />
        ))}
      </Table>
      <footer>
        <span>{count(rows.items.length)} shown</span>
        <span class="grow" />
        {further && (
          <a class="button tiny" href={further}>
            {rows.complete ? 'Next page' : 'Look further'}
          </a>
        )}
      </footer>
    </Card>
  );
}

function Line({ row }: { row: TaskRow }): JSX.Element {
  return (
    <Row>
      <Title class="wide">
        <a href={href(['workflows', row.id])}>
          <Text>{row.name}</Text>
        </a>
        {row.error && (
          <span class="sub cut">
            <Text>{`${row.error.name}: ${row.error.message}`}</Text>
          </span>
        )}
      </Title>
      <Cell label="State" class="top">
        <State state={row.state} />
      </Cell>
      <Cell label="Progress" class="two-wide">
        {row.progress ? <Progress of={row.progress} /> : <span class="soft">–</span>}
      </Cell>
      <Cell label="Id">
        <Id id={row.id} />
      </Cell>
      <Cell label="Enqueued" class="num">
        <Ago time={row.enqueuedAt} />
      </Cell>
      <Cell label="Took" class="num">
        <Since from={row.enqueuedAt} to={row.finishedAt} />
      </Cell>
    </Row>
  );
}
