import { METRIC_KEYS, METRICS, prometheusName, type Metric } from '../../lib/metrics/metric-list.js';

const WIDTH = 12;
const HEIGHT = 8;
const DATASOURCE = { type: 'prometheus', uid: '${datasource}' };

/** A dashboard of Grafana with one panel for each metric of the list. */
export function dashboard(): object {
  const metrics = METRIC_KEYS.map((key): Metric => METRICS[key]);
  return {
    uid: 'nestjs-task-queue',
    title: 'Tasks (nestjs-task-queue)',
    tags: ['nestjs-task-queue'],
    schemaVersion: 39,
    editable: true,
    refresh: '30s',
    time: { from: 'now-6h', to: 'now' },
    templating: {
      list: [
        { name: 'datasource', type: 'datasource', query: 'prometheus' },
        {
          name: 'queue',
          type: 'query',
          datasource: DATASOURCE,
          query: `label_values(${prometheusName(METRICS.tasks)}, queue)`,
          includeAll: true,
          multi: true,
          allValue: '.*',
          current: { text: 'All', value: '$__all' },
          refresh: 2,
        },
      ],
    },
    panels: metrics.map(panel),
  };
}

function panel(metric: Metric, index: number): object {
  return {
    id: index + 1,
    type: 'timeseries',
    title: titleOf(metric),
    description: metric.help,
    datasource: DATASOURCE,
    gridPos: { x: (index % 2) * WIDTH, y: Math.floor(index / 2) * HEIGHT, w: WIDTH, h: HEIGHT },
    fieldConfig: {
      defaults: { unit: metric.unit === 's' ? 's' : metric.type === 'counter' ? 'ops' : 'short', min: 0 },
    },
    targets: queriesOf(metric).map(({ expr, legendFormat }, place) => ({
      refId: 'ABC'[place],
      datasource: DATASOURCE,
      expr,
      legendFormat,
    })),
  };
}

interface Query {
  readonly expr: string;
  readonly legendFormat: string;
}

/** A query for each line of a panel; a histogram has three. */
function queriesOf(metric: Metric): Query[] {
  const name = prometheusName(metric);
  const filter = metric.labels.includes('queue') ? '{queue=~"$queue"}' : '';
  const labels = metric.labels.filter((label) => label !== 'task');
  const legendFormat = labels.map((label) => `{{${label}}}`).join(' ') || '{{instance}}';
  if (metric.type === 'histogram') {
    const buckets = `sum by (le, queue) (rate(${name}_bucket${filter}[$__rate_interval]))`;
    return [0.5, 0.95, 0.99].map((share) => ({
      expr: `histogram_quantile(${share}, ${buckets})`,
      legendFormat: `${legendFormat} p${Math.round(share * 100)}`,
    }));
  }
  if (metric.type === 'counter')
    return [{ expr: `sum by (${labels.join(', ')}) (rate(${name}${filter}[$__rate_interval]))`, legendFormat }];
  if (labels.length === 0) return [{ expr: name, legendFormat }];
  const sum = metric.of === 'store' ? 'max' : 'sum';
  return [{ expr: `${sum} by (${labels.join(', ')}) (${name}${filter})`, legendFormat }];
}

/** `messaging.process.duration` → `Process duration` */
function titleOf({ name }: Metric): string {
  const words = name.replace(/^(messaging(\.client)?|task_queue)\./, '').replaceAll(/[._]/g, ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}
