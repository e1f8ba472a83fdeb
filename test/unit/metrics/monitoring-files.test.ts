import { readFileSync } from 'node:fs';
import { expect, it } from '@jest/globals';
import { parser } from '@prometheus-io/lezer-promql';
import { METRIC_KEYS, METRICS, prometheusName, type Metric } from '../../../lib/metrics/metric-list.js';
import { alertRules } from '../../../scripts/monitoring/alert-rules.js';
import { dashboard } from '../../../scripts/monitoring/dashboard.js';
import { monitoringFiles } from '../../../scripts/monitoring/files.js';

/** The series of all metrics, with the labels that each has. */
const series = new Map(
  METRIC_KEYS.map((key): Metric => METRICS[key]).flatMap((metric): [string, readonly string[]][] => {
    const name = prometheusName(metric);
    if (metric.type !== 'histogram') return [[name, metric.labels]];
    return [
      [`${name}_bucket`, [...metric.labels, 'le']],
      [`${name}_count`, metric.labels],
      [`${name}_sum`, metric.labels],
    ];
  }),
);

const { panels } = dashboard() as { panels: { description: string; targets: { expr: string }[] }[] };
const queries = [
  ...alertRules().map(({ alert, expr }): [string, string] => [alert, expr]),
  ...panels.flatMap(({ targets }) => targets.map(({ expr }): [string, string] => ['dashboard', expr])),
];

it.each(Object.entries(monitoringFiles()))('monitoring/%s is what npm run monitoring makes', (name, text) => {
  expect(readFileSync(`monitoring/${name}`, 'utf8')).toBe(text);
});

it.each(queries)('%s: %s is PromQL on metrics and labels of the list', (_, query) => {
  // Grafana puts a duration there.
  const expr = query.replaceAll('$__rate_interval', '5m');
  const problems: string[] = [];
  const names: string[] = [];
  parser.parse(expr).iterate({
    enter: ({ name, type, from, to }) => {
      const text = expr.slice(from, to);
      if (type.isError) problems.push(`error at ${from}`);
      if (name === 'VectorSelector') names.push(/^[\w:]+/.exec(text)?.[0] ?? text);
      if (name === 'LabelName')
        problems.push(...(['queue', 'task', 'state', 'outcome', 'le'].includes(text) ? [] : [text]));
    },
  });
  expect(problems).toEqual([]);
  expect(names.length).toBeGreaterThan(0);
  expect(names.filter((name) => !series.has(name))).toEqual([]);
});

it('docs/monitoring.md describes each alert', () => {
  const page = readFileSync('docs/monitoring.md', 'utf8');
  const described = Array.from(page.matchAll(/^\| `(Task\w+)` +\|/gm), ([, name]) => name);
  expect(described).toEqual(alertRules().map(({ alert }) => alert));
});

it('the dashboard has a panel for each metric', () => {
  expect(panels.map(({ description }) => description)).toEqual(METRIC_KEYS.map((key) => METRICS[key].help));
});
