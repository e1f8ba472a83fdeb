/** The labels of metrics. Each has a bounded number of values; ids are never among them. */
export type Label = 'queue' | 'task' | 'state' | 'outcome';

export interface Metric {
  /** The name in OpenTelemetry. {@link prometheusName} makes that of Prometheus from it. */
  readonly name: string;
  readonly type: 'counter' | 'histogram' | 'gauge';
  /** Seconds, or a word for what is counted, in braces. */
  readonly unit: 's' | `{${string}}`;
  readonly labels: readonly Label[];
  readonly help: string;
  /**
   * - `process`: each process has its own value, and the sum over the processes has a meaning.
   * - `store`: all processes show the same value, so a query takes the maximum.
   */
  readonly of: 'process' | 'store';
}

/**
 * All metrics. The Prometheus endpoint, the instruments of OpenTelemetry, the alert rules, the dashboard and the table of
 * docs/monitoring.md come from this list.
 *
 * The names of the first three are those of OpenTelemetry's conventions for messaging.
 */
export const METRICS = {
  sent: {
    name: 'messaging.client.sent.messages',
    type: 'counter',
    unit: '{message}',
    labels: ['queue', 'task'],
    help: 'Tasks that this process has stored.',
    of: 'process',
  },
  consumed: {
    name: 'messaging.client.consumed.messages',
    type: 'counter',
    unit: '{message}',
    labels: ['queue', 'task'],
    help: 'Attempts that this process has started.',
    of: 'process',
  },
  processDuration: {
    name: 'messaging.process.duration',
    type: 'histogram',
    unit: 's',
    labels: ['queue', 'task'],
    help: 'How long attempts took.',
    of: 'process',
  },
  waitDuration: {
    name: 'task_queue.wait.duration',
    type: 'histogram',
    unit: 's',
    labels: ['queue', 'task'],
    help: 'How long tasks waited for a worker, from the time at which they could start to their first attempt.',
    of: 'process',
  },
  outcomes: {
    name: 'task_queue.outcomes',
    type: 'counter',
    unit: '{outcome}',
    labels: ['queue', 'task', 'outcome'],
    help: 'Ends of attempts and tasks: succeeded, retrying (the task runs again), failed, cancelled, expired, lost (its worker died).',
    of: 'process',
  },
  running: {
    name: 'task_queue.running',
    type: 'gauge',
    unit: '{task}',
    labels: ['queue'],
    help: 'Tasks that run in this process.',
    of: 'process',
  },
  capacity: {
    name: 'task_queue.capacity',
    type: 'gauge',
    unit: '{task}',
    labels: ['queue'],
    help: 'Tasks that this process runs at once.',
    of: 'process',
  },
  tasks: {
    name: 'task_queue.tasks',
    type: 'gauge',
    unit: '{task}',
    labels: ['queue', 'state'],
    help: 'Stored tasks: queued, scheduled, waiting (for other tasks), running, succeeded, failed (also cancelled and expired).',
    of: 'store',
  },
  oldestAge: {
    name: 'task_queue.oldest.age',
    type: 'gauge',
    unit: 's',
    labels: ['queue'],
    help: 'How long the first queued task has been waiting; 0 without one.',
    of: 'store',
  },
  workers: {
    name: 'task_queue.workers',
    type: 'gauge',
    unit: '{worker}',
    labels: ['queue'],
    help: 'Live processes that take tasks from the queue.',
    of: 'store',
  },
  paused: {
    name: 'task_queue.paused',
    type: 'gauge',
    unit: '{queue}',
    labels: ['queue'],
    help: '1 while the queue is paused, otherwise 0.',
    of: 'store',
  },
  scheduleLag: {
    name: 'task_queue.schedule.lag',
    type: 'gauge',
    unit: 's',
    labels: ['queue'],
    help: 'How late the run of a schedule is that is not enqueued yet: the largest of the queue, 0 without one.',
    of: 'store',
  },
  outboxCalls: {
    name: 'task_queue.outbox.calls',
    type: 'gauge',
    unit: '{call}',
    labels: ['queue'],
    help: 'Calls in the outbox that were not moved to the engine yet. Only in processes with an outbox.',
    of: 'store',
  },
  outboxAge: {
    name: 'task_queue.outbox.oldest.age',
    type: 'gauge',
    unit: 's',
    labels: ['queue'],
    help: 'How long the first of them has been waiting.',
    of: 'store',
  },
  up: {
    name: 'task_queue.up',
    type: 'gauge',
    unit: '{engine}',
    labels: [],
    help: '1 while the engine answers this process, otherwise 0. The figures of the store are absent then.',
    of: 'process',
  },
} as const satisfies Record<string, Metric>;

export type MetricKey = keyof typeof METRICS;
export type KeysOf<T extends Metric['type']> = {
  [K in MetricKey]: (typeof METRICS)[K]['type'] extends T ? K : never;
}[MetricKey];

export const METRIC_KEYS = Object.keys(METRICS) as readonly MetricKey[];

/** The upper bounds of the buckets of histograms, in seconds. Tasks take longer than requests. */
export const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600] as const;

/** One value of a metric. */
export interface Sample {
  readonly key: MetricKey;
  readonly labels: Labels;
  readonly value: number;
}

export type Labels = Readonly<Partial<Record<Label, string>>>;

/**
 * The name of a metric in Prometheus. OpenTelemetry's own exporters translate names in the same way, so alert rules and dashboards fit
 * both.
 */
export function prometheusName({ name, unit, type }: Metric): string {
  const words = name.replaceAll('.', '_');
  if (type === 'counter') return `${words}_total`;
  return unit === 's' ? `${words}_seconds` : words;
}
