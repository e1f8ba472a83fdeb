import { expect, it } from '@jest/globals';
import { BoundedNames } from '../../../lib/metrics/bounded-names.js';
import { METRIC_KEYS, METRICS, prometheusName } from '../../../lib/metrics/metric-list.js';

it.each([
  ['sent', 'messaging_client_sent_messages_total'],
  ['processDuration', 'messaging_process_duration_seconds'],
  ['oldestAge', 'task_queue_oldest_age_seconds'],
  ['running', 'task_queue_running'],
] as const)('the name of %s in Prometheus is %s', (key, name) => {
  expect(prometheusName(METRICS[key])).toBe(name);
});

it('each metric has a name and a help of its own', () => {
  const all = METRIC_KEYS.map((key) => METRICS[key]);
  expect(new Set(all.map(({ name }) => name)).size).toBe(all.length);
  expect(new Set(all.map(({ help }) => help)).size).toBe(all.length);
});

it('only the first names are told apart, and those of the code always', () => {
  const names = new BoundedNames(2, (name) => name === 'declared');
  expect(['a', 'b', 'c', 'declared', 'a'].map((name) => names.of(name))).toEqual(['a', 'b', 'other', 'declared', 'a']);
});
