import type { Engine } from '../engine/engine.js';
import { isAlive, type WorkerRecord } from '../engine/ports/worker-registry.js';
import type { QueueFigures } from '../engine/ports/list-port.js';
import type { Topology } from '../engine/shards/topology.js';
import type { Slice } from '../engine/statistics/statistics-store.js';
import { isQueueName } from '../engine/task-id.js';
import type { OutboxFigures, OutboxOfQueue } from '../transactions/outbox/outbox-figures.js';
import { countsOf, MINUTE } from './task-statistics.js';
import type { RateLimit } from '../engine/ports/control-port.js';
import { toSettingsInfo, type QueueSettingsInfo } from './queue-setting.js';
import type { TaskLists } from './task-lists.js';

/** A queue, as `TaskAdmin.queues()` shows it. Times are ISO 8601 text in UTC. */
export interface QueueInfo extends QueueSettingsInfo {
  readonly name: string;
  /** The name of the shard in which the queue is. Absent in an application without the option `shards`. */
  readonly shard?: string;
  /** The number of stored tasks. */
  readonly counts: QueueCounts;
  /** The time since when the first task of the queue could start; `null` when no task is queued. */
  readonly oldestQueuedAt: string | null;
  /** The number of live workers that take tasks from the queue. */
  readonly workers: number;
  /** The names of the tasks that these workers declare for the queue. */
  readonly tasks: readonly string[];
  readonly lastMinute: RecentCounts;
  readonly lastHour: RecentCounts;
  /**
   * The calls for the queue that wait in the outbox, after the commit of their transactions. `null` in a process without the
   * option `outbox: { connection }`, and while its database cannot be reached.
   */
  readonly outbox: OutboxOfQueue | null;
}

/** The number of tasks in each list of a queue, exactly. */
export interface QueueCounts {
  /** Tasks that a worker may take now, also for another attempt; and cancelled ones that no worker has cleared away yet. */
  readonly queued: number;
  /** Tasks whose time has not come, or the time of their next attempt. */
  readonly scheduled: number;
  /** Tasks that wait for the members of their workflow. */
  readonly waiting: number;
  readonly running: number;
  readonly succeeded: number;
  /** Tasks that failed, were cancelled or expired. */
  readonly failed: number;
  /**
   * How often tasks failed, were cancelled and expired since a time, as the statistics count it. Tasks that are no longer stored are
   * among them.
   */
  readonly split: QueueSplit;
}

export interface QueueSplit {
  readonly failed: number;
  readonly cancelled: number;
  readonly expired: number;
  /** The time of the first figures; `null` when nothing was counted. */
  readonly since: string | null;
}

/** What was counted in the last minute, or hour, and in the part of a minute that it began in. */
export interface RecentCounts {
  readonly succeeded: number;
  readonly failed: number;
  /** Attempts after which the task ran again. */
  readonly retried: number;
}

/** Puts together what is known of each queue. */
export class QueueOverview {
  constructor(
    private readonly deps: {
      readonly engine: Pick<Engine, 'lists' | 'workers' | 'control' | 'now' | 'statistics'>;
      readonly lists: TaskLists;
      readonly topology: Topology;
      /** The rate limit that this process declares for a queue. */
      readonly declaredLimit: (queue: string) => RateLimit | undefined;
      /** What waits in the outbox; `undefined` when this process has none. */
      readonly outbox: () => Promise<OutboxFigures | undefined>;
    },
  ) {}

  /** @throws EngineUnavailableError */
  async queues(): Promise<QueueInfo[]> {
    const { engine, lists, topology } = this.deps;
    const [workers, outbox] = await Promise.all([engine.workers.list(), this.deps.outbox().catch(() => undefined)]);
    const names = withWaiting(await lists.queueNames(workers), outbox);
    const now = engine.now();
    const [figures, settings, slices] = await Promise.all([
      names.length > 0 ? engine.lists.figures(names) : [],
      engine.control.settings(names),
      engine.statistics.read(0, now + MINUTE),
    ]);
    const alive = workers.filter((worker) => isAlive(worker, now));
    return names.flatMap((name, index) => {
      const [figuresOfQueue, settingsOfQueue] = [figures[index], settings[index]];
      // The shard of the queue cannot be reached.
      if (!figuresOfQueue || !settingsOfQueue) return [];
      const ofQueue = alive.filter(({ queues }) => queues.includes(name));
      const setting = toSettingsInfo(settingsOfQueue, name, ofQueue, this.deps.declaredLimit(name));
      const counted = countedOf(name, slices, now);
      const waiting = outbox ? (outbox.queues.get(name) ?? { depth: 0, age: 0 }) : null;
      const shard = topology.shards.length > 1 && { shard: topology.shardOf(name) };
      return { ...toQueueInfo(name, figuresOfQueue, ofQueue, counted), ...shard, outbox: waiting, ...setting };
    });
  }
}

/** The names of queues, with those that nothing but the outbox knows yet. */
function withWaiting(names: readonly string[], outbox: OutboxFigures | undefined): readonly string[] {
  const others = [...(outbox?.queues.keys() ?? [])].filter((name) => isQueueName(name) && !names.includes(name));
  return others.length === 0 ? names : [...names, ...others].toSorted((one, other) => (one < other ? -1 : 1));
}

type Counted = Pick<QueueInfo, 'lastMinute' | 'lastHour'> & Pick<QueueCounts, 'split'>;

function countedOf(queue: string, slices: readonly Slice[], now: number): Counted {
  const minute = Math.floor(now / MINUTE) * MINUTE;
  const recent = (minutes: number): RecentCounts => {
    const { succeeded, failed, retried } = countsOf(slices, { queue, since: minute - minutes * MINUTE });
    return { succeeded, failed, retried };
  };
  const { failed, cancelled, expired } = countsOf(slices, { queue, since: 0 });
  const first = slices.length === 0 ? null : new Date(Math.min(...slices.map(({ at }) => at))).toISOString();
  return { lastMinute: recent(1), lastHour: recent(60), split: { failed, cancelled, expired, since: first } };
}

function toQueueInfo(
  name: string,
  { sizes, queuedSince }: QueueFigures,
  workers: readonly WorkerRecord[],
  { split, lastMinute, lastHour }: Counted,
): Omit<QueueInfo, keyof QueueSettingsInfo | 'outbox' | 'shard'> {
  const { queued, delayed: scheduled, waiting, running, succeeded, failed } = sizes;
  // A worker of an earlier version does not tell the queues of its tasks.
  const tasks = new Set(
    workers.flatMap((worker) => (worker.tasksOfQueues ? (worker.tasksOfQueues[name] ?? []) : worker.tasks)),
  );
  return {
    name,
    counts: { queued, scheduled, waiting, running, succeeded, failed, split },
    lastMinute,
    lastHour,
    oldestQueuedAt: queuedSince === null ? null : new Date(queuedSince).toISOString(),
    workers: workers.length,
    tasks: [...tasks].toSorted((one, other) => (one < other ? -1 : 1)),
  };
}
