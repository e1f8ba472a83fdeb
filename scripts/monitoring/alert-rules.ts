import { METRICS, prometheusName, type MetricKey } from '../../lib/metrics/metric-list.js';

export interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  readonly for: string;
  readonly labels: { readonly severity: 'critical' | 'warning' };
  readonly annotations: { readonly summary: string; readonly description: string };
}

/** The figure of a queue, which all processes show alike. */
const ofStore = (key: MetricKey, filter = '') => `max by (queue) (${prometheusName(METRICS[key])}${filter})`;
/** The sum of what the processes show themselves. */
const ofProcesses = (key: MetricKey) => `sum by (queue) (${prometheusName(METRICS[key])})`;
const rate = (filter: string) =>
  `sum by (queue, task) (rate(${prometheusName(METRICS.outcomes)}{outcome=~"${filter}"}[10m]))`;

/** The alerts that come with the package. Their limits are a beginning: each application has others. */
export function alertRules(): AlertRule[] {
  return [
    rule('TaskQueueDown', 'critical', '2m', `${prometheusName(METRICS.up)} == 0`, {
      summary: 'A process cannot reach the engine of its tasks.',
      description:
        '{{ $labels.instance }} gets no answer from Redis or PostgreSQL. See `npx nestjs-task-queue doctor`.',
    }),
    rule(
      'TaskQueueWithoutWorker',
      'critical',
      '2m',
      `${ofStore('workers')} == 0 and sum by (queue) (${ofStoreAndState('queued|scheduled')}) > 0`,
      {
        summary: 'No worker takes tasks from queue {{ $labels.queue }}.',
        description: 'Its process is down, or takes nothing. See `npx nestjs-task-queue workers`.',
      },
    ),
    rule('TaskQueueBehind', 'warning', '5m', `${ofStore('oldestAge')} > 600 unless ${ofStore('paused')} == 1`, {
      summary: 'Queue {{ $labels.queue }} is behind.',
      description:
        'Its first task has been waiting for {{ $value | humanizeDuration }}. See `npx nestjs-task-queue status`, then add workers or raise concurrency.',
    }),
    rule(
      'TaskQueueSaturated',
      'warning',
      '15m',
      `${ofProcesses('running')} >= ${ofProcesses('capacity')} and ${ofStore('oldestAge')} > 60`,
      {
        summary: 'All places of queue {{ $labels.queue }} are taken, and tasks wait.',
        description:
          'See what runs for long: `npx nestjs-task-queue list --queue {{ $labels.queue }} --running-for 5m`.',
      },
    ),
    rule(
      'TaskQueuePaused',
      'warning',
      '1h',
      `${ofStore('paused')} == 1 and ${ofStore('tasks', '{state="queued"}')} > 0`,
      {
        summary: 'Queue {{ $labels.queue }} is paused, and tasks wait.',
        description: '`npx nestjs-task-queue status` shows who paused it and why, `resume` ends the pause.',
      },
    ),
    rule('TaskFailing', 'warning', '10m', `${rate('failed')} / ${rate('succeeded|failed')} > 0.1`, {
      summary: 'More than a tenth of the tasks {{ $labels.task }} fails.',
      description: 'See `npx nestjs-task-queue errors --queue {{ $labels.queue }} --since 1h`.',
    }),
    rule('TaskScheduleLate', 'critical', '1m', `${ofStore('scheduleLag')} > 120`, {
      summary: 'The run of a schedule of queue {{ $labels.queue }} is late.',
      description: 'It is late by {{ $value | humanizeDuration }}. See `npx nestjs-task-queue schedules`.',
    }),
    rule('TaskOutboxStuck', 'critical', '5m', `${ofStore('outboxAge')} > 300`, {
      summary: 'Calls for queue {{ $labels.queue }} stay in the outbox.',
      description:
        'The first has been waiting for {{ $value | humanizeDuration }}. See whether a process with the option outbox runs, and its log.',
    }),
  ];
}

function ofStoreAndState(states: string): string {
  return `max by (queue, state) (${prometheusName(METRICS.tasks)}{state=~"${states}"})`;
}

function rule(
  alert: string,
  severity: 'critical' | 'warning',
  lasts: string,
  expr: string,
  annotations: AlertRule['annotations'],
): AlertRule {
  return { alert, expr, for: lasts, labels: { severity }, annotations };
}
