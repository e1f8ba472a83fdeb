import type { JSX } from 'preact';
import type { ScheduledRun } from '../../lib/schedules/schedule-status.js';
import type { ScheduleView, Schedules } from '../../lib/dashboard/api/api-types.js';
import { ago, duration, exact, hourOf, plural } from '../format.js';
import { now, overview } from '../live.js';
import { Act, ask, perform, type Undo } from '../parts/acts.js';
import { parseArguments } from '../parts/arguments.js';
import { Ago, capital, Card, Cell, Empty, Head, Row, State, stateIcon, Table, Text, Title } from '../parts/bits.js';
import { Icon } from '../parts/icon.js';
import { Part, useResource } from '../parts/resource.js';
import { href, place } from '../router.js';

const DAY = 86_400_000;

export function SchedulesView(): JSX.Element {
  const schedules = useResource<Schedules>(['schedules'], {}, Math.floor(now.value / 5_000));
  return (
    <>
      <Head
        title="Schedules"
        acts={
          <Act class="main" icon="plus" onClick={() => edit(undefined)}>
            New schedule
          </Act>
        }
      >
        {headline(schedules.data)}
      </Head>
      <Part of={schedules} what="The schedules" rows={6}>
        {(data) => <List schedules={data} />}
      </Part>
    </>
  );
}

function headline(data: Schedules | undefined): string {
  if (!data) return 'Reading the schedules …';
  const paused = data.items.filter((schedule) => schedule.paused).length;
  const next = data.items
    .filter(({ nextRun }) => nextRun !== null)
    .toSorted((one, other) => Date.parse(one.nextRun as string) - Date.parse(other.nextRun as string))[0];
  const text = `${plural(data.items.length, 'schedule')}${data.complete ? '' : ' and more'}${paused > 0 ? `, ${paused} of them paused` : ''}.`;
  return next ? `${text} Next: ${next.id} ${ago(Date.parse(next.nextRun as string), now.value)}.` : text;
}

function List({ schedules }: { schedules: Schedules }): JSX.Element {
  const { items } = schedules;
  if (items.length === 0) {
    return (
      <Card>
        <Empty icon="schedules" title="No schedule yet">
          Put <code>@Schedule('30 2 * * *')</code> on a task, or make one here: it runs once at its time, however many
          workers there are.
        </Empty>
      </Card>
    );
  }
  const start = Date.parse(schedules.at);
  return (
    <Card>
      <Table
        label="Schedules"
        columns={[
          { key: 'schedule', text: 'Schedule' },
          { key: 'runs', text: 'Runs' },
          { key: 'next', text: 'Next' },
          { key: 'day', text: <Hours start={start} />, class: 'day mid-off' },
          { key: 'last', text: 'Last runs' },
          { key: 'from', text: 'Where from', class: 'mid-off' },
          { key: 'acts', text: <span class="quiet">Acts</span>, class: 'acts' },
        ]}
      >
        {items.map((schedule) => (
          <Line key={schedule.id} schedule={schedule} start={start} />
        ))}
      </Table>
      <footer>
        Each tick runs once, however many workers there are. Cron expressions are in the time zone next to them.
      </footer>
    </Card>
  );
}

function Hours({ start }: { start: number }): JSX.Element {
  return (
    <>
      <span class="quiet">The next day</span>
      <svg class="when" aria-hidden="true">
        {[0, 0.25, 0.5, 0.75, 1].map((part) => (
          <text
            key={part}
            x={`${part * 100}%`}
            y="70%"
            text-anchor={part === 0 ? 'start' : part === 1 ? 'end' : 'middle'}
          >
            {hourOf(start + part * DAY)}
          </text>
        ))}
      </svg>
    </>
  );
}

function Line({ schedule, start }: { schedule: ScheduleView; start: number }): JSX.Element {
  const {
    id,
    task,
    expression,
    cron,
    timezone,
    nextRun,
    paused,
    broken,
    lastRun,
    lastSkip,
    source,
    day,
    recent = [],
  } = schedule;
  const isMine = source === 'runtime' && broken === null;
  const isAsked = place.value.query.get('id') === id;
  return (
    <Row class={isAsked ? 'on' : undefined}>
      <Title>
        <Text>{id}</Text>
        <span class="sub">
          <a href={href(['tasks'], { name: task })}>
            <Text>{task}</Text>
          </a>
        </span>
      </Title>
      <Cell label="Runs">
        <span>{inWords(schedule)}</span>
        <span class="sub mono">
          <Text>{cron ? `${expression} · ${timezone}` : expression}</Text>
        </span>
      </Cell>
      <Cell label="Next">
        {broken !== null ? (
          <State state="failed">Broken</State>
        ) : paused ? (
          <State state="paused" />
        ) : nextRun ? (
          <strong title={exact(Date.parse(nextRun))}>{ago(Date.parse(nextRun), now.value)}</strong>
        ) : (
          <span class="soft">ended</span>
        )}
      </Cell>
      <Cell label="The next day" class="day full mid-off">
        <DayStrip ticks={day} start={start} />
      </Cell>
      <Cell label="Last runs">
        {broken !== null ? (
          <span class="bad">
            <Text>{broken}</Text>
          </span>
        ) : lastRun ? (
          <>
            <a class="state plain" data-state={lastRun.state ?? 'waiting'} href={href(['tasks', lastRun.id])}>
              <Icon name={stateIcon(lastRun.state)} /> {lastRun.state ?? 'no longer stored'}
            </a>
            <span class="sub">
              <Ago time={lastRun.enqueuedAt} />
              {lastRun.finishedAt &&
                `, ${duration(Math.max(Date.parse(lastRun.finishedAt) - Date.parse(lastRun.enqueuedAt), 0))}`}
            </span>
            {lastRun.error && (
              <span class="sub bad">
                <Text>{lastRun.error.message.slice(0, 120)}</Text>
              </span>
            )}
          </>
        ) : (
          <span class="soft">never yet</span>
        )}
        {recent.length > 1 && <Recent runs={recent} />}
        {lastSkip && (
          <span class="sub">
            left out <Ago time={lastSkip.tick} />:{' '}
            {lastSkip.because === 'QUEUE_FULL' ? 'the queue was full' : 'the run before still went on'}
          </span>
        )}
      </Cell>
      <Cell label="Where from" class="mid-off">
        <span class="tag">{source === 'decorator' ? 'in the code' : 'made at run time'}</span>
      </Cell>
      <Cell label="Acts" class="acts full unlabelled">
        {broken === null && (
          <Act class="tiny" onClick={() => perform('runSchedule', { schedule: id }, `${id} runs now.`)}>
            Run now
          </Act>
        )}{' '}
        {paused ? (
          <Act
            class="bare tiny square"
            icon="play"
            label={`Resume ${id}`}
            onClick={() =>
              perform('resumeSchedule', { schedule: id }, `${id} goes on.`, {
                undo: ['pauseSchedule', { schedule: id }, `${id} is paused.`],
              })
            }
          />
        ) : (
          <Act
            class="bare tiny square"
            icon="paused"
            label={`Pause ${id}`}
            onClick={() =>
              perform('pauseSchedule', { schedule: id }, `${id} is paused.`, {
                undo: ['resumeSchedule', { schedule: id }, `${id} goes on.`],
              })
            }
          />
        )}
        {isMine && <Act class="bare tiny square" icon="edit" label={`Edit ${id}`} onClick={() => edit(schedule)} />}
        {(isMine || broken !== null) && (
          <Act class="bare tiny square" icon="trash" label={`Remove ${id}`} onClick={() => remove(schedule)} />
        )}
      </Cell>
    </Row>
  );
}

/** The last runs from left to right, the latest at the right. */
function Recent({ runs }: { runs: readonly ScheduledRun[] }): JSX.Element {
  return (
    <ol class="runs" aria-label="Last runs, the latest at the end">
      {runs.toReversed().map((run) => {
        const at = Date.parse(run.enqueuedAt);
        const took = run.finishedAt ? `, took ${duration(Math.max(Date.parse(run.finishedAt) - at, 0))}` : '';
        const text = `${capital(run.state ?? 'not stored')}, ${exact(at)}${took}${run.tick === null ? ', by hand' : ''}`;
        return (
          <li key={run.id}>
            <a href={href(['tasks', run.id])} data-state={run.state ?? 'waiting'} aria-label={text} title={text}>
              <Icon name={stateIcon(run.state)} />
            </a>
          </li>
        );
      })}
    </ol>
  );
}

function DayStrip({ ticks, start }: { ticks: readonly string[]; start: number }): JSX.Element {
  const at = (time: number) => `${(((time - start) / DAY) * 100).toFixed(2)}%`;
  return (
    <svg class="when c-run" role="img" aria-label={`${plural(ticks.length, 'run')} in the next day`}>
      <line class="gridline" x1="0" x2="100%" y1="50%" y2="50%" />
      {[0, 0.25, 0.5, 0.75, 1].map((part) => (
        <line key={part} class="gridline" x1={`${part * 100}%`} x2={`${part * 100}%`} y1="10%" y2="90%" />
      ))}
      {ticks.map((tick) => (
        <rect key={tick} x={at(Date.parse(tick))} y="25%" width={ticks.length > 60 ? 1.5 : 3.5} height="50%" rx="1" />
      ))}
    </svg>
  );
}

/** The usual forms of a cron expression in words; the expression itself stands below. */
function inWords({ cron, every }: ScheduleView): string {
  if (every !== null) return `every ${duration(every)}`;
  if (cron === null) return 'unknown';
  const [minute = '', hour = '', date = '', month = '', weekday = '', more] = cron.split(/\s+/);
  if (more !== undefined || cron.startsWith('@')) return cron.startsWith('@') ? cron.slice(1) : 'by seconds';
  const isNumber = (text: string) => /^\d+$/.test(text);
  const time = isNumber(hour) && isNumber(minute) ? `${hour.padStart(2, '0')}:${minute.padStart(2, '0')}` : undefined;
  if (time && date === '*' && month === '*' && weekday === '*') return `every day at ${time}`;
  if (time && date === '*' && month === '*' && weekday === '1-5') return `Monday to Friday at ${time}`;
  if (time && date === '*' && month === '*' && isNumber(weekday))
    return `every ${['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'][Number(weekday)] ?? 'week'} at ${time}`;
  if (time && isNumber(date) && month === '*') return `on day ${date} of the month at ${time}`;
  const [, minutes] = /^\*\/(\d+)$/.exec(minute) ?? [];
  if (minutes && hour === '*' && date === '*') return `every ${minutes} minutes`;
  if (isNumber(minute) && hour === '*' && date === '*') return `every hour at :${minute.padStart(2, '0')}`;
  if (minute === '*' && hour === '*' && date === '*') return 'every minute';
  return 'by a cron expression';
}

/** What stores the schedule as it is now; `undefined` when the page does not know all of it. */
function restore(schedule: ScheduleView, told: string): Undo | undefined {
  const { id, broken, task, args, cron, timezone, expression, overlap } = schedule;
  if (broken !== null || !schedule.args.isStored) return undefined;
  const timing = cron === null ? { every: expression.replace('every ', '') } : { cron, timezone };
  return [
    'saveSchedule',
    { schedule: id, settings: { ...keptOf(schedule), task, args: args.value, ...timing, overlap } },
    told,
  ];
}

/** Settings that the form does not show. */
function keptOf({ catchUp, limit, endsAt }: ScheduleView): object {
  return { catchUp, ...(limit !== null && { limit }), ...(endsAt !== null && { endsAt }) };
}

function remove(schedule: ScheduleView): void {
  const { id } = schedule;
  ask({
    title: `Remove ${id}?`,
    text: 'The schedule is deleted; tasks that it has enqueued stay.',
    button: 'Remove',
    danger: true,
    run: () =>
      perform('removeSchedule', { schedule: id }, `${id} is removed.`, { undo: restore(schedule, `${id} is back.`) }),
  });
}

function edit(schedule: ScheduleView | undefined): void {
  const tasks = [...new Set(overview.value?.queues.flatMap((queue) => queue.tasks) ?? [])];
  if (schedule && !schedule.args.isStored) {
    ask({
      title: `Edit ${schedule.id}`,
      text: 'Its arguments have hidden or very long values, so it cannot be edited here: what is stored would be replaced by what is shown.',
      button: 'Close',
      run: async () => true,
    });
    return;
  }
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  ask({
    title: schedule ? `Edit ${schedule.id}` : 'New schedule',
    text: 'Either a cron expression in a time zone, or a period.',
    button: schedule ? 'Change the schedule' : 'Create the schedule',
    initial: {
      id: schedule?.id ?? '',
      task: schedule?.task ?? tasks[0] ?? '',
      args: JSON.stringify(schedule?.args.value ?? []),
      when: schedule?.cron ?? (schedule ? schedule.expression.replace('every ', '') : '0 9 * * 1-5'),
      timezone: schedule?.timezone ?? zone,
      overlap: schedule?.overlap ?? 'skip',
    },
    fields: (values, set) => {
      const field = (name: string, text: string, more: object = {}) => (
        <label class="field">
          <span>{text}</span>
          <input
            required
            value={values[name] ?? ''}
            onInput={(event) => set(name, event.currentTarget.value)}
            {...more}
          />
        </label>
      );
      return (
        <>
          {!schedule && field('id', 'Name')}
          {field('task', 'Task', { list: 'schedule-tasks' })}
          <datalist id="schedule-tasks">
            {tasks.map((task) => (
              <option key={task} value={task} />
            ))}
          </datalist>
          {field('args', 'Arguments, a list in JSON')}
          {field('when', 'When: a cron expression, or a period such as 10m')}
          {field('timezone', 'Time zone')}
          <label class="field">
            <span>While the run before goes on</span>
            <select value={values['overlap']} onChange={(event) => set('overlap', event.currentTarget.value)}>
              <option value="skip">leave the next one out</option>
              <option value="allow">run both</option>
            </select>
          </label>
        </>
      );
    },
    run: async ({ id = '', task = '', args = '[]', when = '', timezone = '', overlap = 'skip' }) => {
      const isPeriod = /^[\d.]+\s*[a-z]+$/i.test(when.trim());
      const timing = isPeriod ? { every: when.trim() } : { cron: when.trim(), timezone };
      const kept = schedule ? keptOf(schedule) : {};
      const name = schedule?.id ?? id;
      return perform(
        'saveSchedule',
        { schedule: name, settings: { ...kept, task, args: parseArguments(args), ...timing, overlap } },
        schedule ? `${name} is changed.` : `${name} is created.`,
        {
          undo: schedule
            ? restore(schedule, `${name} is as before.`)
            : ['removeSchedule', { schedule: name }, `${name} is removed.`],
        },
      );
    },
  });
}
