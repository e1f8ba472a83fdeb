import type { JSX } from 'preact';
import type { WorkerInfo } from '../../lib/admin/worker-info.js';
import { bytes, count, duration, names, plural, rough } from '../format.js';
import { now, overview } from '../live.js';
import { Act, ask, perform } from '../parts/acts.js';
import { Ago, Bones, Card, Empty, Head, Id, TaskLink, Text } from '../parts/bits.js';
import { Icon } from '../parts/icon.js';

/** The most places of a worker that are drawn one by one. */
const MOST_PLACES = 40;
/** Milliseconds of delay of the event loop from which a worker is slow. */
const SLOW_LOOP = 50;

export function WorkersView(): JSX.Element {
  const store = overview.value;
  if (!store)
    return (
      <Card>
        <Bones />
      </Card>
    );
  const alive = store.workers.filter(({ state }) => state === 'alive');
  const lost = store.workers.filter(({ state }) => state === 'lost');
  const running = alive.reduce((sum, { runningCount }) => sum + runningCount, 0);
  const places = alive.reduce((sum, worker) => sum + placesOf(worker), 0);
  const versions = Map.groupBy(alive, ({ version }) => version);
  const newest = [...versions.keys()].toSorted().at(-1);
  return (
    <>
      <Head title="Workers">
        {alive.length === 0
          ? 'No process runs tasks.'
          : `${plural(alive.length, 'process runs', 'processes run')} ${plural(running, 'task')}, in ${plural(places, 'place')}.`}
        {lost.length > 0 && ` ${lost.length === 1 ? 'One was' : `${lost.length} were`} lost in the last ten minutes.`}
      </Head>
      {lost.map((worker) => (
        <section key={worker.id} class="card gone" aria-label={`Lost: ${worker.host}`}>
          <Worker worker={worker} newest={newest} />
        </section>
      ))}
      {alive.length === 0 ? (
        <Card>
          <Empty icon="workers" title="No worker is alive">
            Tasks are kept and run when one comes up. Start the application with the role <code>both</code> or{' '}
            <code>worker</code>.
          </Empty>
        </Card>
      ) : (
        <Card
          title="Alive"
          sub={
            versions.size > 1
              ? [...versions].map(([version, some]) => `${some.length} on ${version}`).join(', ')
              : undefined
          }
          aside="places, event loop delay, what runs now"
        >
          <div>
            {alive.map((worker) => (
              <Worker key={worker.id} worker={worker} newest={newest} />
            ))}
          </div>
        </Card>
      )}
    </>
  );
}

function placesOf({ concurrency }: WorkerInfo): number {
  return Object.values(concurrency).reduce((sum, places) => sum + places, 0);
}

function Worker({ worker, newest }: { worker: WorkerInfo; newest: string | undefined }): JSX.Element {
  const {
    id,
    host,
    pid,
    version,
    application,
    startedAt,
    seenAt,
    state,
    queues,
    running,
    runningCount,
    eventLoopDelay,
    memory,
  } = worker;
  const places = placesOf(worker);
  const isLost = state === 'lost';
  const shutdown = () =>
    ask({
      title: `Shut ${host}, process ${pid}, down?`,
      text: 'It takes no more tasks, running tasks get their time to end, and then its process ends, as with SIGTERM. Whether another one starts is up to what supervises it.',
      button: 'Shut down',
      danger: true,
      fields: (values, set) => (
        <label class="field">
          <span>Time for running tasks</span>
          <input
            placeholder="as the worker has it; 30s, 5m"
            value={values['grace'] ?? ''}
            onInput={(event) => set('grace', event.currentTarget.value)}
          />
        </label>
      ),
      run: ({ grace }) => perform('shutdown', { worker: id, ...(grace ? { grace } : {}) }, `${host} shuts down.`),
    });
  return (
    <div class="worker" id={id}>
      <div>
        <strong class={isLost ? 'bad' : ''}>
          {isLost && <Icon name="lost" />} <Text>{host}</Text>
        </strong>{' '}
        <span class="soft">pid {pid}</span>
        <p class="sub">
          <span class={version !== newest && newest !== undefined ? 'tag new' : ''}>{version}</span>
          {isLost ? ' · last seen ' : ` · up ${rough(Math.max(now.value - Date.parse(startedAt), 0))} · seen `}
          <Ago time={seenAt} />
        </p>
        <p class="sub">
          <Text>{`${application ? `${application} · ` : ''}${queues.length === 0 ? 'no queues' : `queues: ${names(queues, 4)}`}`}</Text>
        </p>
      </div>
      <div>
        {!isLost && places > 0 && places <= MOST_PLACES && (
          <div class="slots" aria-hidden="true">
            {Array.from({ length: places }, (_, place) => (
              <i key={place} class={place < runningCount ? 'on' : ''} />
            ))}
          </div>
        )}
        {!isLost && places > MOST_PLACES && (
          <progress class="wide-bar" value={Math.min(runningCount, places)} max={places} aria-label="Places in use" />
        )}
        <p class="sub">
          {isLost
            ? `${plural(runningCount, 'task')} ran there when it was lost; they run again elsewhere`
            : `${count(runningCount)} of ${plural(places, 'place')} in use`}
        </p>
      </div>
      <dl class="facts">
        <dt title="By how much timers are late: the 99th percentile of the last ten seconds">Event loop</dt>
        <dd class={(eventLoopDelay ?? 0) > SLOW_LOOP ? 'warn strong' : ''}>
          {eventLoopDelay === null ? '–' : `${duration(eventLoopDelay)} late`}
        </dd>
        <dt>Memory</dt>
        <dd>{memory === null ? '–' : bytes(memory)}</dd>
      </dl>
      <ul class="now">
        {running.slice(0, 4).map((task) => (
          <li key={task.id}>
            <span class="cut">
              <TaskLink id={task.id} name={task.name} /> <Id id={task.id} />
            </span>
            <span>{duration(Math.max(now.value - Date.parse(task.since), 0))}</span>
          </li>
        ))}
        {runningCount > 4 && <li class="soft">and {count(runningCount - 4)} more</li>}
        {running.length === 0 && !isLost && <li class="soft">nothing</li>}
      </ul>
      <div class="acts">
        {!isLost && (
          <Act class="bare tiny" icon="power" onClick={shutdown}>
            Shut down
          </Act>
        )}
      </div>
    </div>
  );
}
