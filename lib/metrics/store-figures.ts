import type { Engine } from '../engine/engine.js';
import { isAlive } from '../engine/ports/worker-registry.js';
import { isQueueName } from '../engine/task-id.js';
import type { ScheduleLag } from '../schedules/schedule-lag.js';
import type { MetricKey, Sample } from './metric-list.js';

export interface StoreFiguresDeps {
  readonly engine: Pick<Engine, 'lists' | 'workers' | 'now'>;
  readonly lag: Pick<ScheduleLag, 'read'>;
}

/** Queues of one snapshot; names of queues are labels too. */
const MOST_QUEUES = 500;

/**
 * Counts what is stored, in a few round trips whose work does not grow with the number of queued tasks but on PostgreSQL, where
 * counting reads an index.
 *
 * @throws EngineUnavailableError
 */
export async function readStoreFigures({ engine, lag }: StoreFiguresDeps): Promise<Sample[]> {
  const [used, workers, delays] = await Promise.all([engine.lists.queueNames(), engine.workers.list(), lag.read()]);
  const known = new Set([...used, ...workers.flatMap(({ queues }) => queues), ...delays.byQueue.keys()]);
  const names = [...known].filter(isQueueName).toSorted().slice(0, MOST_QUEUES);
  const figures = names.length > 0 ? await engine.lists.figures(names) : [];
  const now = engine.now();
  const alive = workers.filter((worker) => isAlive(worker, now));
  return names.flatMap((queue, index) => {
    const ofQueue = figures[index];
    // The shard of the queue cannot be reached: no figures are better than zeros.
    if (!ofQueue) return [];
    const { sizes, queuedSince, isPaused } = ofQueue;
    const sample = (key: MetricKey, value: number): Sample => ({ key, labels: { queue }, value });
    const { queued, delayed, waiting, running, succeeded, failed } = sizes;
    const states = { queued, scheduled: delayed, waiting, running, succeeded, failed };
    const taking = alive.filter(({ queues, load }) => queues.includes(queue) && !load?.silentQueues?.includes(queue));
    const delay = delays.byQueue.get(queue);
    return [
      ...Object.entries(states).map(([state, value]): Sample => ({ key: 'tasks', labels: { queue, state }, value })),
      sample('oldestAge', queuedSince === null ? 0 : Math.max(now - queuedSince, 0) / 1_000),
      sample('workers', taking.length),
      sample('paused', isPaused ? 1 : 0),
      ...(delay === undefined ? [] : [sample('scheduleLag', delay / 1_000)]),
    ];
  });
}
