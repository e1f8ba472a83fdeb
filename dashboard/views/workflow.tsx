import type { JSX } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import type { Graph, GraphTask } from '../../lib/dashboard/api/api-types.js';
import { duration, plural } from '../format.js';
import { now, statuses, watchTasks } from '../live.js';
import { Act, ask, perform } from '../parts/acts.js';
import { Card, Copy, Empty, Head, State, stateIcon, Text } from '../parts/bits.js';
import { Flow } from '../parts/flow.js';
import { Icon } from '../parts/icon.js';
import { foldAlike, type FlowNode } from '../parts/flow-nodes.js';
import { Part, useResource } from '../parts/resource.js';
import { href, place, withQuery } from '../router.js';

const OVER = ['succeeded', 'failed', 'cancelled', 'expired'];

export function WorkflowView(): JSX.Element {
  const [, id = ''] = place.value.path;
  const [ids, setIds] = useState<readonly string[]>([id]);
  useEffect(() => watchTasks(ids), [ids.join()]);
  useEffect(() => () => watchTasks([]), []);
  // A task that comes to an end may have stored others, which the graph has to read.
  const ended = [...statuses.value.values()].filter((status) => status && OVER.includes(status.state)).length;
  const isOpen = statuses.value.get(id) === undefined || !OVER.includes(statuses.value.get(id)?.state ?? '');
  const graph = useResource<Graph>(['workflow', id], {}, `${ended} ${isOpen ? Math.floor(now.value / 3_000) : ''}`);
  useEffect(() => {
    if (graph.data)
      setIds(
        [
          ...new Set([
            id,
            ...graph.data.tasks.filter(({ status }) => status && !OVER.includes(status.state)).map((task) => task.id),
          ]),
        ].slice(0, 100),
      );
  }, [graph.data]);
  if (graph.error?.status === 404) {
    return (
      <>
        <Head title="A workflow" crumbs={[['Workflows', href(['workflows'])]]} />
        <Card>
          <Empty
            icon="workflows"
            title="The workflow is not stored"
            acts={
              <a class="button" href={href(['workflows'])}>
                To all workflows
              </a>
            }
          >
            It never was, somebody has removed it, or its time to live is over.
          </Empty>
        </Card>
      </>
    );
  }
  return (
    <Part of={graph} what="The workflow" rows={8}>
      {(data) => <Details graph={data} />}
    </Part>
  );
}

function Details({ graph }: { graph: Graph }): JSX.Element {
  const tasks = graph.tasks.map((task) => ({ ...task, status: statuses.value.get(task.id) ?? task.status }));
  const last = tasks.find(({ id }) => id === graph.id)?.status;
  const shape = graph.tasks.map(({ id, after }) => id + after.length).join();
  const version = tasks.map(({ status }) => `${status?.state ?? ''}${status?.attempt ?? ''}`).join();
  const nodes = useMemo(() => foldAlike(tasks), [shape, version]);
  const chosen =
    nodes.find(({ id }) => id === place.value.query.get('node')) ??
    nodes.find(({ state }) => state === 'failed') ??
    nodes.find(({ state }) => state === 'running') ??
    nodes.at(-1);
  const failed = tasks.filter(
    ({ status, kind }) => status?.state === 'failed' && status.id !== graph.id && kind === 'task',
  );
  const state = last?.state ?? 'waiting';
  const act = (name: string, told: string) => perform(name, { id: graph.id }, told);
  return (
    <>
      <Head
        crumbs={[['Workflows', href(['workflows'])]]}
        title={
          <>
            <Text>{last?.name ?? 'A workflow'}</Text> <State state={state} pill />
          </>
        }
        acts={
          <div class="row">
            {(state === 'failed' || state === 'cancelled') && (
              <Act class="main" icon="retrying" onClick={() => act('retry', 'The workflow goes on.')}>
                Retry what failed
              </Act>
            )}
            {!OVER.includes(state) && (
              <Act
                icon="cancelled"
                onClick={() =>
                  ask({
                    title: 'Cancel the whole workflow?',
                    text: 'All of its tasks that have not ended are cancelled. A retry takes the cancel back.',
                    button: 'Cancel the workflow',
                    danger: true,
                    run: () => act('cancel', 'The workflow is cancelled.'),
                  })
                }
              >
                Cancel all
              </Act>
            )}
          </div>
        }
      >
        {sentence(tasks, failed)} <span class="mono">{graph.id}</span> <Copy text={graph.id} label="Copy the id" />
      </Head>
      <Card
        title="Graph"
        sub="in the order in which it runs"
        class="graph-card"
        aside={graph.complete ? undefined : `the newest ${tasks.length} tasks`}
      >
        <Flow nodes={nodes} chosen={chosen?.id} />
        <footer>
          {['succeeded', 'running', 'retrying', 'queued', 'waiting', 'failed'].map((one) => (
            <State key={one} state={one} />
          ))}
          <span class="grow" />
          <span>A dashed edge is still to come</span>
        </footer>
      </Card>
      <div class="cols two">
        <Card title="As a list" aside="run time">
          <ol class="rail">
            {nodes.map((node) => (
              <li key={node.id} data-state={node.state}>
                <Icon name={stateIcon(node.state)} />
                <span>
                  <a href={withQuery({ node: node.id })} {...(node === chosen && { 'aria-current': 'true' as const })}>
                    <Text>{node.title}</Text>
                  </a>
                  <span class="sub block">
                    <Text>{node.sub}</Text>
                  </span>
                </span>
                <small class="soft">{ranOf(node)}</small>
              </li>
            ))}
          </ol>
        </Card>
        {chosen && <Chosen node={chosen} />}
      </div>
    </>
  );
}

function sentence(tasks: readonly GraphTask[], failed: readonly GraphTask[]): string {
  const own = tasks.filter(({ kind }) => kind === 'task');
  const done = own.filter(({ status }) => status?.state === 'succeeded').length;
  const [first] = failed;
  const held = first?.status
    ? ` ${failed.length === 1 ? 'One' : failed.length} failed: ${first.status.name} holds up what comes after it.`
    : '';
  return `${done} of ${plural(own.length, 'task')} are done.${held}`;
}

function ranOf({ tasks }: FlowNode): string {
  const status = tasks.length === 1 ? tasks[0]?.status : undefined;
  if (!status?.startedAt) return '';
  return duration(
    Math.max((status.finishedAt ? Date.parse(status.finishedAt) : now.value) - Date.parse(status.startedAt), 0),
  );
}

function Chosen({ node }: { node: FlowNode }): JSX.Element {
  const [only] = node.tasks;
  const most = 60;
  if (node.tasks.length === 1 && only) {
    const { status } = only;
    return (
      <Card title={<Text>{node.title}</Text>} aside={<State state={node.state} />} id="chosen">
        <div class="body stack wrap">
          {status?.error ? (
            <p>
              <strong class="bad">
                <Text>{status.error.name}</Text>
              </strong>{' '}
              <Text>{status.error.message}</Text>
            </p>
          ) : (
            <p class="soft">{node.sub}</p>
          )}
          {status && (
            <p class="row">
              {status.state === 'failed' && (
                <Act
                  icon="retrying"
                  onClick={() =>
                    perform('retry', { id: status.id }, 'The task is queued again, and the workflow goes on.')
                  }
                >
                  Retry, and go on
                </Act>
              )}
              <a class="button" href={href(['tasks', only.id])}>
                See the task
              </a>
            </p>
          )}
        </div>
      </Card>
    );
  }
  const done = node.tasks.filter(({ status }) => status?.state === 'succeeded').length;
  return (
    <Card title={<Text>{node.title}</Text>} aside={`${Math.floor((done / node.tasks.length) * 100)} %`} id="chosen">
      <div class="body stack">
        <progress value={done} max={node.tasks.length} aria-label={`${done} of ${node.tasks.length} tasks`} />
        <div class="tiles">
          {node.tasks.slice(0, most).map(({ id, status }, at) => (
            <a key={id} href={href(['tasks', id])} data-state={status?.state ?? 'waiting'}>
              <Icon name={stateIcon(status?.state)} />
              <span>#{at + 1}</span>
              <small>{status?.state ?? 'to come'}</small>
            </a>
          ))}
        </div>
        {node.tasks.length > most && <p class="soft">and {node.tasks.length - most} more</p>}
      </div>
    </Card>
  );
}
