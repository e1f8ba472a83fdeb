import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { TaskRow, TaskRows } from '../../lib/dashboard/api/api-types.js';
import { count, duration, plural } from '../format.js';
import { now, overview, statuses, watchTasks } from '../live.js';
import { Act, ask, perform, performEach } from '../parts/acts.js';
import {
  Ago,
  capital,
  Card,
  Cell,
  Copy,
  Empty,
  Head,
  Id,
  Progress,
  QueueLink,
  Row,
  State,
  Table,
  Tabs,
  TaskLink,
  Text,
  Title,
} from '../parts/bits.js';
import { Icon } from '../parts/icon.js';
import { Part, useResource } from '../parts/resource.js';
import { href, place, withQuery } from '../router.js';
import { settings } from '../settings.js';
import { enqueueTask } from './enqueue-task.js';
import { STATES, TaskSearch, type Filter } from './task-search.js';

const FILTERS = [
  'queue',
  'state',
  'name',
  'args',
  'error',
  'since',
  'runningFor',
  'root',
  'workflow',
  'enqueuedAfter',
  'enqueuedBefore',
];
const ORDERS: Readonly<Record<string, string>> = {
  'newest-first': 'newest first',
  'queue-order': 'as workers take them',
  'due-first': 'the first due first',
  mixed: 'list by list',
};

function filterOfPlace(): Filter {
  return Object.fromEntries(
    [...place.value.query].filter(([name]) => FILTERS.includes(name) || name.startsWith('header.')),
  );
}

export function TasksView(): JSX.Element {
  const filter = filterOfPlace();
  const cursor = place.value.query.get('cursor') ?? undefined;
  const workflows = filter['workflow'] === 'true';
  const total = countOf(filter);
  const [seen, setSeen] = useState(0);
  const rows = useResource<TaskRows>(['tasks'], { ...filter, cursor }, seen);
  return (
    <>
      <Head
        title={workflows ? 'Workflows' : 'Tasks'}
        acts={
          <div class="row">
            <Copy text={location.href} label="Copy the address of this list" />
            {!workflows && (
              <Act class="main" icon="plus" onClick={() => enqueueTask({ name: filter['name'] })}>
                Enqueue a task
              </Act>
            )}
          </div>
        }
      >
        {headline(filter, total, rows.data)}
      </Head>
      <States filter={filter} />
      <TaskSearch filter={filter} headers={rows.data?.headers ?? []} />
      <Part of={rows} what="The tasks" rows={8}>
        {(data) => (
          <List
            key={JSON.stringify([filter, cursor])}
            rows={data}
            filter={filter}
            total={total}
            reload={() => setSeen((before) => before + 1)}
          />
        )}
      </Part>
    </>
  );
}

/** The exact number of tasks, where the counts of the queues tell it. */
function countOf(filter: Filter): number | undefined {
  const { state, queue, ...others } = filter;
  if (Object.keys(others).length > 0 || !overview.value) return undefined;
  const queues = overview.value.queues.filter(({ name }) => queue === undefined || name === queue);
  const counts = (of: 'queued' | 'scheduled' | 'waiting' | 'running' | 'succeeded' | 'failed') =>
    queues.reduce((sum, info) => sum + info.counts[of], 0);
  if (state === 'running' || state === 'waiting' || state === 'succeeded') return counts(state);
  return undefined;
}

function headline(filter: Filter, total: number | undefined, rows: TaskRows | undefined): JSX.Element {
  const { state, queue, name, since, error } = filter;
  const noun = filter['workflow'] ? 'workflow' : 'task';
  const amount =
    total === undefined
      ? rows && rows.cursor === null && rows.complete
        ? plural(rows.items.length, `${state ?? ''} ${noun}`.trim())
        : capital(`${state ?? 'all'} ${noun}s`)
      : plural(total, `${state ?? ''} ${noun}`.trim());
  return (
    <>
      {amount}
      {queue && (
        <>
          {' '}
          of{' '}
          <b>
            <Text>{queue}</Text>
          </b>
        </>
      )}
      {name && (
        <>
          {' '}
          named{' '}
          <b>
            <Text>{name}</Text>
          </b>
        </>
      )}
      {error && ' with one kind of error'}
      {since && ` of the last ${since}`}
      {rows && `, ${ORDERS[rows.order] ?? rows.order}`}.
    </>
  );
}

function States({ filter }: { filter: Filter }): JSX.Element {
  return (
    <Tabs
      label="State"
      items={[undefined, ...STATES].map((state) => {
        const amount = state && countOf({ ...filter, state });
        return {
          key: state ?? 'all',
          text: (
            <>
              {state ? capital(state) : 'All'} {typeof amount === 'number' && <span class="soft">{count(amount)}</span>}
            </>
          ),
          href: withQuery({ state, runningFor: undefined }),
          on: filter['state'] === state,
        };
      })}
    />
  );
}

function List({
  rows,
  filter,
  total,
  reload,
}: {
  rows: TaskRows;
  filter: Filter;
  total: number | undefined;
  reload: () => void;
}): JSX.Element {
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [all, setAll] = useState(false);
  const last = useRef<string | undefined>(undefined);
  const ids = rows.items.map(({ id }) => id);
  useEffect(() => watchTasks(ids.slice(0, 60)), [ids.join()]);
  useEffect(() => () => watchTasks([]), []);
  const live = rows.items.map((row) => ({
    // An event has no arguments.
    row: { ...row, ...statuses.value.get(row.id) },
    gone: statuses.value.get(row.id) === null,
  }));
  // What the counts say now against what they said when the list was read.
  const snapshot = fingerprintOf(filter);
  const first = useRef({ rows, snapshot });
  if (first.current.rows !== rows) first.current = { rows, snapshot };
  const hasNews = first.current.snapshot !== snapshot && first.current.snapshot !== '';
  const pick = (id: string, upTo: boolean) => {
    const next = new Set(chosen);
    const from = last.current === undefined ? -1 : ids.indexOf(last.current);
    const to = ids.indexOf(id);
    if (upTo && from >= 0) for (const one of ids.slice(Math.min(from, to), Math.max(from, to) + 1)) next.add(one);
    else if (!next.delete(id)) next.add(id);
    last.current = id;
    setAll(false);
    setChosen(next);
  };
  if (rows.items.length === 0) return <Nothing filter={filter} rows={rows} />;
  return (
    <>
      {hasNews && (
        <p class="news">
          <button type="button" class="tiny" onClick={reload}>
            The list has changed. Show it as it is now
          </button>
        </p>
      )}
      <Card>
        <Table
          label="Tasks"
          columns={[
            ...(settings.readOnly ? [] : [{ key: 'pick', text: <span class="quiet">Choose</span>, class: 'pick' }]),
            { key: 'task', text: 'Task' },
            { key: 'state', text: 'State' },
            { key: 'queue', text: 'Queue', class: 'mid-off' },
            { key: 'id', text: 'Id' },
            { key: 'attempt', text: 'Attempt' },
            { key: 'enqueued', text: 'Enqueued', class: 'num' },
            { key: 'ran', text: 'Ran', class: 'num' },
          ]}
        >
          {live.map(({ row, gone }) => (
            <TaskLine
              key={row.id}
              row={row}
              gone={gone}
              isChosen={all || chosen.has(row.id)}
              onPick={(upTo) => pick(row.id, upTo)}
            />
          ))}
        </Table>
        <footer>
          <span>
            {count(rows.items.length)} shown{total !== undefined && ` of ${count(total)}`}
          </span>
          {!rows.complete && <span>Read over a part of the queues: more may match further back.</span>}
          <span class="grow" />
          {place.value.query.has('cursor') && (
            <a class="button tiny" href={withQuery({})}>
              First page
            </a>
          )}
          {rows.cursor !== null && (
            <a class="button tiny" href={withQuery({ cursor: rows.cursor })}>
              {rows.complete ? 'Next page' : 'Look further'}
            </a>
          )}
        </footer>
      </Card>
      {(chosen.size > 0 || all) && (
        <Bulk
          rows={live.map(({ row }) => row).filter(({ id }) => chosen.has(id))}
          filter={filter}
          all={all}
          total={total}
          onAll={() => setAll(true)}
          onNone={() => {
            setChosen(new Set());
            setAll(false);
          }}
        />
      )}
    </>
  );
}

/** Changes when tasks of the list come, go or change their state. */
function fingerprintOf({ queue, state }: Filter): string {
  const queues = overview.value?.queues.filter(({ name }) => queue === undefined || name === queue) ?? [];
  const key =
    state === 'queued' ||
    state === 'running' ||
    state === 'waiting' ||
    state === 'scheduled' ||
    state === 'succeeded' ||
    state === 'failed'
      ? state
      : undefined;
  return queues.map(({ counts }) => (key ? counts[key] : JSON.stringify({ ...counts, split: 0 }))).join();
}

function TaskLine({
  row,
  gone,
  isChosen,
  onPick,
}: {
  row: TaskRow;
  gone: boolean;
  isChosen: boolean;
  onPick: (upTo: boolean) => void;
}): JSX.Element {
  const { id, name, args, queue, state, error, attempt, maxAttempts, enqueuedAt, startedAt, finishedAt } = row;
  return (
    <Row class={`${isChosen ? 'on' : ''} ${gone ? 'was' : ''}`}>
      {!settings.readOnly && (
        <Cell label="Choose" class="pick unlabelled">
          <label class="tick">
            <input
              type="checkbox"
              checked={isChosen}
              aria-label={`Choose ${name} ${id}`}
              onClick={(event) => onPick(event.shiftKey)}
            />
          </label>
        </Cell>
      )}
      <Title class="wide">
        <span class="call">
          <TaskLink id={id} name={name} />
          {args !== undefined && (
            <span class="args" title={args}>
              (<Text>{args}</Text>)
            </span>
          )}
        </span>
        {error && (
          <span class="sub cut" title={`${error.name}: ${error.message}`}>
            <Text>{`${error.name}: ${error.message}`}</Text>
          </span>
        )}
        {!error && row.progress && (
          <span class="sub">
            <Progress of={row.progress} />
          </span>
        )}
      </Title>
      <Cell label="State" class="top">
        {gone ? <span class="soft">removed</span> : <State state={state} />}
      </Cell>
      <Cell label="Queue" class="mid-off">
        <QueueLink name={queue} />
      </Cell>
      <Cell label="Id">
        <Id id={id} />
      </Cell>
      <Cell label="Attempt">
        {attempt === 0 ? <span class="soft">–</span> : `${attempt} of ${Math.max(maxAttempts, attempt)}`}
      </Cell>
      <Cell label="Enqueued" class="num">
        <Ago time={enqueuedAt} />
      </Cell>
      <Cell label="Ran" class="num">
        {startedAt === null ? (
          <span class="soft">–</span>
        ) : (
          duration(Math.max((finishedAt ? Date.parse(finishedAt) : now.value) - Date.parse(startedAt), 0))
        )}
      </Cell>
    </Row>
  );
}

function Nothing({ filter, rows }: { filter: Filter; rows: TaskRows }): JSX.Element {
  const names = Object.keys(filter);
  const further = rows.cursor === null ? undefined : withQuery({ cursor: rows.cursor });
  return (
    <Card>
      <Empty
        icon="tray"
        title={further ? 'Nothing in this part' : 'No task matches'}
        acts={
          <>
            {further && (
              <a class="button" href={further}>
                Look further
              </a>
            )}
            {names.length > 0 && (
              <a class="button" href={href(['tasks'])}>
                Remove all filters
              </a>
            )}
          </>
        }
      >
        {further
          ? 'This page has read as many tasks as one page may. The next one goes on.'
          : names.length === 0
            ? 'Nothing is stored yet. A task appears here as soon as the application enqueues one.'
            : `No stored task has ${names.map((name) => `${name.replace('header.', 'the header ')} “${filter[name]}”`).join(' and ')}.`}
      </Empty>
    </Card>
  );
}

const isOver = (state: string) => ['succeeded', 'failed', 'cancelled', 'expired'].includes(state);
/** Which of the chosen tasks an act concerns, and what is so with the others. */
const CONCERNED = {
  retry: {
    states: (state: string) => state !== 'succeeded' && isOver(state),
    others: 'only tasks that failed or were cancelled run again',
  },
  cancel: { states: (state: string) => !isOver(state), others: 'they have ended' },
  forget: { states: isOver, others: 'they have not ended' },
} as const;

function Bulk({
  rows,
  filter,
  all,
  total,
  onAll,
  onNone,
}: {
  rows: readonly TaskRow[];
  filter: Filter;
  all: boolean;
  /** How many tasks match, where the counts of the queues tell it. */
  total: number | undefined;
  onAll: () => void;
  onNone: () => void;
}): JSX.Element {
  const actOnAll = (act: 'retryAll' | 'cancelAll' | 'forgetAll', verb: string, text: string) =>
    ask({
      title: `${verb} all tasks that match?`,
      text,
      button: `${verb} all`,
      danger: act !== 'retryAll',
      initial: { rate: '' },
      ...(act === 'retryAll' && {
        fields: (values, set) => (
          <label class="field">
            <span>At most, in a second</span>
            <input
              inputMode="numeric"
              placeholder="as fast as possible"
              value={values['rate'] ?? ''}
              onInput={(event) => set('rate', event.currentTarget.value)}
            />
          </label>
        ),
      }),
      run: async ({ rate }) => {
        const done = await perform(act, { filter, ...(rate ? { rate: Number(rate) } : {}) }, `${verb} all that match`, {
          ...(total !== undefined && { total }),
        });
        if (done) onNone();
        return done;
      },
    });
  const [tried, setTried] = useState<number | undefined>(undefined);
  const each = async (act: 'retry' | 'cancel' | 'forget', told: string) => {
    const { states, others } = CONCERNED[act];
    const concerned = rows.filter(({ state }) => states(state));
    const left = rows.length - concerned.length;
    setTried(0);
    await performEach(
      act,
      concerned.map(({ id }) => id),
      told,
      { onStep: setTried, ...(left > 0 && { leftOut: `${count(left)} left alone: ${others}.` }) },
    );
    onNone();
  };
  const start = (act: 'retry' | 'cancel' | 'forget', verb: string, told: string, text: string) => {
    if (all) return actOnAll(`${act}All`, verb, text);
    if (act === 'retry') return void each(act, told);
    ask({
      title: `${verb} ${plural(rows.length, 'task')}?`,
      text,
      button: `${verb} ${plural(rows.length, 'task')}`,
      danger: true,
      ...(act === 'forget' && rows.length > 20 && { type: rows.length }),
      run: () => each(act, told),
    });
  };
  return (
    <div class="bulk" role="region" aria-label="What is chosen">
      <span class="grow">
        <strong role="status">
          {tried === undefined
            ? all
              ? 'All that match'
              : `${count(rows.length)} chosen`
            : `${count(tried)} of ${count(rows.length)} …`}
        </strong>
        {!all && tried === undefined && (
          <>
            {' · '}
            <button type="button" class="link" onClick={onAll}>
              all that match
            </button>
          </>
        )}
      </span>
      <Act
        class="main"
        icon="retrying"
        press="r"
        disabled={tried !== undefined}
        onClick={() =>
          start(
            'retry',
            'Retry',
            'queued again',
            'Failed and cancelled tasks run again under their ids, with all their attempts; workflows go on.',
          )
        }
      >
        Retry
      </Act>
      <Act
        icon="cancelled"
        press="c"
        disabled={tried !== undefined}
        onClick={() =>
          start(
            'cancel',
            'Cancel',
            'cancelled',
            'Tasks that have not started never run. Running tasks get their signal aborted.',
          )
        }
      >
        Cancel
      </Act>
      <Act
        class="danger"
        icon="trash"
        disabled={tried !== undefined}
        onClick={() =>
          start(
            'forget',
            'Forget',
            'forgotten',
            'Status, result and log of tasks that have ended are deleted. This cannot be undone.',
          )
        }
      >
        Forget
      </Act>
      <button type="button" class="bare square" aria-label="Choose none" data-key="Escape" onClick={onNone}>
        <Icon name="close" />
      </button>
    </div>
  );
}
