import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { dump, load } from 'js-yaml';
import { Task } from 'nestjs-task-queue';
import { createManagedProcess, type ManagedProcess } from '../support/managed-process.js';
import { startMetricsApp } from '../support/metrics-app.js';
import { findProgram } from '../support/programs.js';
import { until } from '../support/until.js';

/** Prometheus' own tool judges what this package gives to Prometheus. */
const promtool = findProgram('promtool');
const execute = promisify(execFile);
const RULES = join(import.meta.dirname, '../../monitoring/alerts.yml');

let managed: ManagedProcess;
beforeAll(async () => {
  managed = await createManagedProcess();
});
afterAll(() => managed.close());

class Mails {
  @Task({ queue: 'mail' })
  send(value: number): number {
    return value;
  }

  @Task({ queue: 'mail' })
  fail(): void {
    throw new Error('"smtp"\n\\down');
  }
}

it('promtool accepts the text of the metrics', async () => {
  const { app, queue, scrape } = await startMetricsApp({ connection: 'memory:' }, { providers: [Mails] });
  const { send, fail } = queue.of(Mails);
  await (await send.enqueue(1)).result();
  await (await fail.enqueue()).result().catch(() => undefined);
  await queue.of('odd"name\\with{braces}').enqueue();
  await until(async () => (await scrape()).value('task_queue_outcomes_total', { outcome: 'failed' }) === 1);
  const { text } = await scrape();
  const check = execute(promtool, ['check', 'metrics']);
  check.child.stdin?.end(text);
  await expect(check).resolves.toMatchObject({ stderr: '' });
  await app.close();
});

it('promtool accepts the alert rules', async () => {
  const { stdout } = await execute(promtool, ['check', 'rules', RULES]);
  expect(stdout).toContain('SUCCESS');
});

/** Series, a value a minute, that make an alert fire, or keep it from firing. */
const cases: [alert: string, fires: boolean, series: Record<string, string>, labels: Record<string, string>][] = [
  ['TaskQueueDown', true, { 'task_queue_up{instance="a"}': '0x20' }, { instance: 'a' }],
  ['TaskQueueDown', false, { 'task_queue_up{instance="a"}': '1x20' }, {}],
  [
    'TaskQueueWithoutWorker',
    true,
    { 'task_queue_workers{queue="mail"}': '0x20', 'task_queue_tasks{queue="mail",state="queued"}': '3x20' },
    { queue: 'mail' },
  ],
  [
    'TaskQueueWithoutWorker',
    false,
    { 'task_queue_workers{queue="mail"}': '0x20', 'task_queue_tasks{queue="mail",state="failed"}': '3x20' },
    {},
  ],
  ['TaskQueueBehind', true, { 'task_queue_oldest_age_seconds{queue="mail"}': '700x20' }, { queue: 'mail' }],
  [
    'TaskQueueBehind',
    false,
    { 'task_queue_oldest_age_seconds{queue="mail"}': '700x20', 'task_queue_paused{queue="mail"}': '1x20' },
    {},
  ],
  [
    'TaskFailing',
    true,
    {
      'task_queue_outcomes_total{queue="mail",task="a",outcome="failed"}': '0+20x20',
      'task_queue_outcomes_total{queue="mail",task="a",outcome="succeeded"}': '0+80x20',
    },
    { queue: 'mail', task: 'a' },
  ],
  [
    'TaskFailing',
    false,
    {
      'task_queue_outcomes_total{queue="mail",task="a",outcome="failed"}': '0+1x20',
      'task_queue_outcomes_total{queue="mail",task="a",outcome="succeeded"}': '0+80x20',
    },
    {},
  ],
  ['TaskScheduleLate', true, { 'task_queue_schedule_lag_seconds{queue="mail"}': '600x20' }, { queue: 'mail' }],
  ['TaskOutboxStuck', true, { 'task_queue_outbox_oldest_age_seconds{queue="mail"}': '600x20' }, { queue: 'mail' }],
];

it('the alerts fire when they should', async () => {
  const [group] = (load(readFileSync(RULES, 'utf8')) as { groups: { rules: Record<string, object | string>[] }[] })
    .groups;
  const rules = new Map(group?.rules.map((rule) => [rule['alert'], rule]));
  const tests = cases.map(([alertname, fires, series, labels]) => ({
    interval: '1m',
    input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
    alert_rule_test: [
      {
        eval_time: '18m',
        alertname,
        exp_alerts: fires ? [{ exp_labels: { ...labels, ...(rules.get(alertname)?.['labels'] as object) } }] : [],
      },
    ],
  }));
  // The texts of alerts are not what is tested here.
  const bare = {
    groups: [{ name: 'all', rules: [...rules.values()].map(({ annotations: _annotations, ...rule }) => rule) }],
  };
  writeFileSync(join(managed.folder, 'rules.yml'), dump(bare));
  writeFileSync(join(managed.folder, 'tests.yml'), dump({ rule_files: ['rules.yml'], tests }));
  const { stdout } = await execute(promtool, ['test', 'rules', join(managed.folder, 'tests.yml')]).catch(
    (error: { stdout: string; stderr: string }) => {
      throw new Error(error.stdout + error.stderr);
    },
  );
  expect(stdout).toContain('SUCCESS');
});
