import type { JSX } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { LogLines, TaskRow, TaskView } from '../../lib/dashboard/api/api-types.js';
import { read } from '../api.js';
import { count, duration, exact, plural } from '../format.js';
import { now, overview, statuses, watchTasks } from '../live.js';
import { Act, ask, perform } from '../parts/acts.js';
import { parseArguments } from '../parts/arguments.js';
import { Ago, Card, Copy, Empty, Head, Progress, QueueLink, State, stateIcon, Tabs, Text } from '../parts/bits.js';
import { Icon } from '../parts/icon.js';
import { Part, useResource } from '../parts/resource.js';
import { Timeline } from '../parts/timeline.js';
import { Tree } from '../parts/tree.js';
import { go, href, place, withQuery } from '../router.js';
import { enqueueTask } from './enqueue-task.js';

const FINAL = ['succeeded', 'failed', 'cancelled', 'expired'];

export function TaskViewPage(): JSX.Element {
  const [, id = ''] = place.value.path;
  useEffect(() => {
    watchTasks([id]);
    return () => watchTasks([]);
  }, [id]);
  const status = statuses.value.get(id);
  // What changes the details; progress alone does not.
  const version = status
    ? `${status.state} ${status.attempt} ${status.startedAt ?? ''} ${status.finishedAt ?? ''}`
    : status === null
      ? 'gone'
      : '';
  const task = useResource<TaskView>(['task', id], {}, version);
  if (task.error?.status === 404) {
    return (
      <>
        <Head title="A task" crumbs={[['Tasks', href(['tasks'])]]} />
        <Card>
          <Empty
            icon="search"
            title="The task is not stored"
            acts={
              <a class="button" href={href(['tasks'])}>
                To all tasks
              </a>
            }
          >
            It never was, somebody has removed it, or its time to live is over: the records of tasks that ended are kept
            for a limited time.
          </Empty>
        </Card>
      </>
    );
  }
  return (
    <Part of={task} what="The task" rows={10}>
      {(data) => <Details task={status ? { ...data, ...pick(status) } : data} gone={status === null} />}
    </Part>
  );
}

function pick({ state, progress, attempt, startedAt, finishedAt, error }: TaskRow): Partial<TaskView> {
  return { state, progress, attempt, startedAt, finishedAt, ...(error === null && { error: null }) };
}

function Details({ task, gone }: { task: TaskView; gone: boolean }): JSX.Element {
  const { id, name, state } = task;
  const isWorkflow = task.members.length > 0 || task.parent !== null;
  return (
    <>
      <Head
        crumbs={[
          ['Tasks', href(['tasks'])],
          [name, href(['tasks'], { name })],
        ]}
        title={
          <>
            <Text>{name}</Text>{' '}
            <State state={gone ? 'cancelled' : state} pill>
              {gone ? 'Removed' : undefined}
            </State>
          </>
        }
        acts={<Acts task={task} />}
      >
        {sentence(task)}{' '}
        <span class="mono" title={id}>
          {id}
        </span>{' '}
        <Copy text={id} label="Copy the id" />
      </Head>
      <div class="cols task-cols">
        <div class="stack">
          {(task.progress || task.report) && !FINAL.includes(state) && <ProgressCard task={task} />}
          <Timeline task={task} />
          <ErrorCard task={task} />
          {task.result && (
            <Card title="Result">
              <div class="body">
                <Tree of={task.result} task={id} part="result" />
              </div>
            </Card>
          )}
          <Log task={task} />
        </div>
        <div class="stack">
          <Facts task={task} />
          <Card
            title="Arguments"
            aside={<Copy text={JSON.stringify(task.args.value, null, 2)} label="Copy the arguments" />}
          >
            <div class="body">
              <Tree of={task.args} task={id} part="args" />
            </div>
          </Card>
          <Headers task={task} />
          {isWorkflow && <Members task={task} />}
        </div>
      </div>
    </>
  );
}

function sentence(task: TaskView): string {
  const { state, attempt, maxAttempts, startedAt, finishedAt, enqueuedAt, blockedBy, position, options, members } =
    task;
  const ran = startedAt && finishedAt ? duration(Date.parse(finishedAt) - Date.parse(startedAt)) : undefined;
  const more = attempt > 1 ? `, in attempt ${attempt} of ${maxAttempts}` : '';
  switch (state) {
    case 'running':
      return `Runs for ${startedAt ? duration(Math.max(now.value - Date.parse(startedAt), 0)) : 'a moment'}${more}.`;
    case 'queued':
      return `Waits for ${duration(Math.max(now.value - Date.parse(enqueuedAt), 0))}${position === null ? '' : `, behind ${plural(position, 'task')}`}. ${why(blockedBy)}`;
    case 'scheduled':
      return options.startAt ? `Its time comes at ${exact(Date.parse(options.startAt))}.` : 'Its time has not come.';
    case 'retrying':
      return `Attempt ${attempt} of ${maxAttempts} failed; it runs again.`;
    case 'waiting':
      return `Waits for ${plural(members.length, 'task')} of its workflow.`;
    case 'succeeded':
      return ran ? `Ran for ${ran}${more}.` : 'Ended well.';
    case 'failed':
      return `Failed after ${plural(Math.max(attempt, 1), 'attempt')}${ran ? `, the last took ${ran}` : ''}.`;
    case 'cancelled':
      return attempt > 0
        ? 'Somebody cancelled it while it ran, or before another attempt.'
        : 'Somebody cancelled it before it started.';
    case 'expired':
      return 'It was not started in time.';
  }
}

function why(reason: TaskView['blockedBy']): string {
  switch (reason) {
    case 'paused':
      return 'Its queue is paused.';
    case 'no-worker':
      return 'No worker takes tasks from its queue.';
    case 'rate-limit':
      return 'The rate limit of its queue holds it back.';
    case 'concurrency':
      return 'As many tasks of its queue run as may run at once.';
    case 'key':
      return 'Other tasks of its key run.';
    case null:
      return '';
  }
}

function Acts({ task }: { task: TaskView }): JSX.Element {
  const { id, name, state } = task;
  const isOver = FINAL.includes(state);
  const forget = () =>
    ask({
      title: 'Forget this task?',
      text: `Status, result and log of ${name} are deleted. This cannot be undone.`,
      button: 'Forget',
      danger: true,
      run: async () => {
        const done = await perform('forget', { id }, 'The task is forgotten.');
        if (done) go(href(['tasks']));
        return done;
      },
    });
  const cancel = () =>
    ask({
      title: 'Cancel this task?',
      text:
        state === 'running'
          ? 'Its signal is aborted; the method decides when it ends.'
          : 'It never runs. A retry takes the cancel back.',
      button: 'Cancel the task',
      danger: true,
      fields: (values, set) => (
        <label class="stack">
          <span>Why; the error has it as its message</span>
          <input
            value={values['reason'] ?? ''}
            maxLength={500}
            onInput={(event) => set('reason', event.currentTarget.value)}
          />
        </label>
      ),
      run: ({ reason }) =>
        perform('cancel', { id, reason }, 'The task is cancelled.', {
          // A retry starts the task at once, so it takes back only the cancel of a task that could start.
          undo: state === 'queued' ? ['retry', { id }, 'The task is queued again.'] : undefined,
        }),
    });
  return (
    <div class="row">
      {(state === 'failed' || state === 'cancelled') && (
        <Act
          class="main"
          icon="retrying"
          press="r"
          onClick={() => perform('retry', { id }, 'The task is queued again.')}
        >
          Retry
        </Act>
      )}
      {(state === 'scheduled' || state === 'retrying') && (
        <Act class="main" icon="fast" onClick={() => perform('promote', { id }, 'The task is due now.')}>
          Run now
        </Act>
      )}
      {(state === 'scheduled' || state === 'queued') && (
        <Act icon="edit" onClick={() => edit(task)}>
          Edit
        </Act>
      )}
      {!isOver && (
        <Act icon="cancelled" press="c" onClick={cancel}>
          Cancel
        </Act>
      )}
      {isOver && isAlone(task) && task.args.isStored && (
        <Act icon="plus" onClick={() => enqueueTask({ name, args: task.args.value, queue: task.queue })}>
          Enqueue again
        </Act>
      )}
      {isOver && (
        <Act class="danger" icon="trash" onClick={forget}>
          Forget
        </Act>
      )}
    </div>
  );
}

/** A task of a workflow has arguments from the tasks before it too. */
function isAlone({ parent, members }: TaskView): boolean {
  return parent === null && members.length === 0;
}

/** Arguments that are not shown as they are stored cannot be edited: what is stored would be replaced by what is shown. */
function edit({ id, args, options }: TaskView): void {
  const before = JSON.stringify(args.value, null, 2);
  ask({
    title: 'Edit the task',
    text: args.isStored
      ? 'A task can be changed until it starts.'
      : 'Its arguments have hidden or very long values, so only its time and priority can be changed here.',
    button: 'Change the task',
    initial: { args: before, delay: '', priority: options.priority === undefined ? '' : String(options.priority) },
    fields: (values, set) => (
      <>
        {args.isStored && (
          <label class="stack">
            <span>Arguments, a list in JSON</span>
            <textarea
              class="mono"
              rows={8}
              value={values['args'] ?? ''}
              onInput={(event) => set('args', event.currentTarget.value)}
            />
          </label>
        )}
        <label class="field">
          <span>Starts in</span>
          <input
            placeholder="unchanged; 10m, 2h"
            value={values['delay'] ?? ''}
            onInput={(event) => set('delay', event.currentTarget.value)}
          />
        </label>
        <label class="field">
          <span>Priority, 0 to 9</span>
          <input
            inputMode="numeric"
            placeholder="unchanged"
            value={values['priority'] ?? ''}
            onInput={(event) => set('priority', event.currentTarget.value)}
          />
        </label>
      </>
    ),
    run: async ({ args: text = before, delay = '', priority = '' }) => {
      const change = {
        ...(text !== before && { args: parseArguments(text) }),
        ...(delay !== '' && { delay }),
        ...(priority !== '' && { priority: Number(priority) }),
      };
      const was = {
        ...(change.args !== undefined && { args: args.value }),
        ...(change.priority !== undefined && { priority: options.priority ?? 0 }),
        ...(change.delay !== undefined && { delay: Math.max(Date.parse(options.startAt ?? '') - now.value, 0) || 0 }),
      };
      return perform('update', { id, change }, 'The task is changed.', {
        undo: ['update', { id, change: was }, 'The task is as before.'],
      });
    },
  });
}

function ProgressCard({ task }: { task: TaskView }): JSX.Element {
  const { progress, report, id } = task;
  const percent = progress?.total ? Math.floor((progress.current / progress.total) * 100) : null;
  return (
    <Card
      title="Progress"
      sub={
        progress?.message ?? (progress?.total ? `${count(progress.current)} of ${count(progress.total)}` : undefined)
      }
    >
      <div class="body row">
        {progress && (
          <span class="grow">
            <Progress of={progress} />
          </span>
        )}
        {percent !== null && <strong>{percent} %</strong>}
        {report && <Tree of={report} task={id} part="progress" />}
      </div>
    </Card>
  );
}

function ErrorCard({ task }: { task: TaskView }): JSX.Element | null {
  const failed = task.attempts.filter(({ error }) => error !== null);
  const asked = Number(place.value.query.get('attempt') ?? Number.NaN);
  const chosen = failed.find((_, index) => index === asked) ?? failed.at(-1);
  const error = chosen?.error ?? task.error;
  if (!error) return null;
  const index = chosen ? failed.indexOf(chosen) : 0;
  return (
    <Card
      title={chosen ? `Error of attempt ${chosen.number}` : 'Error'}
      aside={
        failed.length > 1 ? (
          <Tabs
            label="Attempt"
            items={failed.map((attempt, place_) => ({
              key: String(place_),
              text: String(attempt.number),
              href: withQuery({ attempt: String(place_) }),
              on: place_ === index,
            }))}
          />
        ) : undefined
      }
    >
      <div class="body wrap">
        <p>
          <strong class="bad">
            <Text>{error.name}</Text>
          </strong>{' '}
          <Text>{error.message}</Text>
        </p>
        {task.fingerprint && task.state === 'failed' && (
          <p class="soft">
            <a href={href(['tasks'], { state: 'failed', error: task.fingerprint })}>All tasks that failed like this</a>
          </p>
        )}
      </div>
      {error.stack && <Stack text={error.stack} />}
    </Card>
  );
}

function Stack({ text }: { text: string }): JSX.Element {
  const lines = text.split('\n').filter((line) => /^\s*at /.test(line));
  if (lines.length === 0)
    return (
      <pre class="stack-trace" tabIndex={0} role="region" aria-label="Stack of the error">
        {text}
      </pre>
    );
  return (
    <pre class="stack-trace" tabIndex={0} role="region" aria-label="Stack of the error">
      {lines.map((line, place_) => (
        <span key={place_} class={/node_modules|node:/.test(line) ? 'lib' : 'own'}>
          {line.trim()}
          {'\n'}
        </span>
      ))}
    </pre>
  );
}

function Facts({ task }: { task: TaskView }): JSX.Element {
  const worker = task.attempts.at(-1)?.worker ?? null;
  const info = overview.value?.workers.find(({ id }) => id === worker);
  const { options, schedule, parent } = task;
  const facts: readonly (readonly [string, JSX.Element | string | null])[] = [
    ['Queue', <QueueLink name={task.queue} />],
    [
      'Worker',
      worker === null ? null : (
        <a href={href(['workers'])}>
          <Text>{info ? `${info.host}, process ${info.pid}` : worker}</Text>
        </a>
      ),
    ],
    ['Attempt', task.attempt === 0 ? null : `${task.attempt} of ${Math.max(task.maxAttempts, task.attempt)}`],
    ['Enqueued', <Ago time={task.enqueuedAt} />],
    ['Starts', options.startAt ? <Ago time={options.startAt} /> : null],
    ['Ended', task.finishedAt ? <Ago time={task.finishedAt} /> : null],
    ['Priority', options.priority === undefined ? null : String(options.priority)],
    ['Timeout', options.timeout === undefined ? null : `${duration(options.timeout)} an attempt`],
    ['Expires', options.expiresAt ? <Ago time={options.expiresAt} /> : null],
    ['Kept until', task.expiresAt ? <Ago time={task.expiresAt} /> : null],
    [
      'Schedule',
      schedule ? (
        <a href={href(['schedules'], { id: schedule })}>
          <Text>{schedule}</Text>
        </a>
      ) : null,
    ],
    ['Workflow', parent || task.members.length > 0 ? <a href={href(['workflows', task.id])}>as a graph</a> : null],
    ['Start', task.estimatedStart ? <Ago time={task.estimatedStart} /> : null],
  ];
  return (
    <Card title="Facts">
      <dl class="body facts">
        {facts
          .filter(([, value]) => value !== null)
          .map(([name, value]) => (
            <>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </>
          ))}
      </dl>
    </Card>
  );
}

function Headers({ task }: { task: TaskView }): JSX.Element | null {
  const entries = Object.entries(task.headers.value as Record<string, unknown>);
  if (entries.length === 0) return null;
  return (
    <Card title="Headers">
      <dl class="body facts">
        {entries.map(([name, value]) => (
          <>
            <dt>
              <Text>{name}</Text>
            </dt>
            <dd>
              {task.headers.masked.includes(`/${name}`) || typeof value !== 'string' ? (
                <span class="soft">masked</span>
              ) : (
                <a href={href(['tasks'], { [`header.${name}`]: value })}>
                  <Text>{value}</Text>
                </a>
              )}
            </dd>
          </>
        ))}
      </dl>
    </Card>
  );
}

function Members({ task }: { task: TaskView }): JSX.Element {
  const most = 12;
  return (
    <Card title="Workflow" aside={<a href={href(['workflows', task.id])}>as a graph</a>}>
      <ol class="rail">
        {task.members.slice(0, most).map((member) => (
          <li key={member.id} data-state={member.state ?? 'waiting'}>
            <Icon name={stateIcon(member.state)} />
            <a href={href(['tasks', member.id])}>
              <Text>{member.name ?? 'not stored yet'}</Text>
            </a>
            <small class="soft">{member.state ?? 'to come'}</small>
          </li>
        ))}
        {task.members.length === 0 && task.parent && (
          <li data-state="waiting">
            <Icon name="workflows" />
            <a href={href(['tasks', task.parent])}>the task that waits for this one</a>
            <span />
          </li>
        )}
      </ol>
      {task.members.length > most && <footer>and {count(task.members.length - most)} more</footer>}
    </Card>
  );
}

/** The log follows until the reader scrolls up. */
function Log({ task }: { task: TaskView }): JSX.Element | null {
  const [lines, setLines] = useState<LogLines['lines']>([]);
  const [error, setError] = useState('');
  const [isFollowing, setFollowing] = useState(true);
  const box = useRef<HTMLDivElement>(null);
  const isOver = FINAL.includes(task.state);
  const { id, logLength, state } = task;
  useEffect(() => {
    let timer: number | undefined;
    let stopped = false;
    let after = 0;
    const load = async () => {
      try {
        const { lines: fresh } = await read<LogLines>(['logs', id], { after: String(after) });
        if (stopped) return;
        after = fresh.at(-1)?.index ?? after;
        if (fresh.length > 0) setLines((before) => [...before, ...fresh].slice(-1_000));
        setError('');
      } catch (failure) {
        if (!stopped) setError((failure as Error).message);
      }
      if (!stopped && !isOver) timer = window.setTimeout(() => void load(), 2_000);
    };
    setLines([]);
    void load();
    return () => {
      stopped = true;
      clearTimeout(timer);
    };
  }, [id, isOver, state]);
  useEffect(() => {
    if (isFollowing && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [lines, isFollowing]);
  const text = useMemo(
    () => lines.map(({ at, level, text: line }) => `${at ?? ''} ${level} ${line}`).join('\n'),
    [lines],
  );
  if (lines.length === 0 && logLength === 0 && isOver) return null;
  return (
    <Card
      title="Log"
      sub={
        isOver ? (
          plural(lines.length, 'line')
        ) : isFollowing ? (
          <span class="live">Following</span>
        ) : (
          'Scroll down to follow'
        )
      }
      aside={<Copy text={text} label="Copy the log" />}
    >
      <div
        ref={box}
        class="log"
        tabIndex={0}
        role="region"
        aria-label="Log lines"
        onScroll={({ currentTarget: { scrollTop, scrollHeight, clientHeight } }) =>
          setFollowing(scrollHeight - scrollTop - clientHeight < 24)
        }
      >
        {error && <p class="gap bad">{error}</p>}
        {lines.length === 0 ? (
          <p class="gap">No line yet. A task writes here with TaskContext.log().</p>
        ) : (
          <ol>
            {lines.map(({ index, at, level, text: line }) => (
              <li key={index}>
                <span title={at ? exact(Date.parse(at)) : ''}>{at ? clockOf(at) : ''}</span>
                <span class={level === 'error' ? 'bad' : level === 'warn' ? 'warn' : 'soft'}>{level}</span>
                <Text>{line}</Text>
              </li>
            ))}
          </ol>
        )}
      </div>
    </Card>
  );
}

function clockOf(time: string): string {
  const at = new Date(time);
  const pad = (value: number, length = 2) => String(value).padStart(length, '0');
  return `${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}.${pad(at.getMilliseconds(), 3)}`;
}
