import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Module, type INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TerminusModule } from '@nestjs/terminus';
import { load } from 'js-yaml';
import { Task, TaskQueueModule } from 'nestjs-task-queue';
import { TaskQueueHealthModule } from 'nestjs-task-queue/health';
import type { AddressInfo } from 'node:net';
import { METRIC_KEYS, METRICS, prometheusName } from '../../lib/metrics/metric-list.js';
import { request } from '../support/http-client.js';
import { HealthController } from '../support/monitoring/health.controller.js';

const page = readFileSync('docs/monitoring.md', 'utf8');

class Mails {
  @Task({ queue: 'mail' })
  send(): void {}
}

@Module({ imports: [TerminusModule, TaskQueueHealthModule], controllers: [HealthController] })
class HealthModule {}

@Module({ imports: [TaskQueueModule.forRoot({ connection: 'memory:' }), HealthModule], providers: [Mails] })
class App {}

let app: INestApplication;
let url: string;

beforeAll(async () => {
  app = await NestFactory.create(App, { logger: false, abortOnError: false });
  await app.listen(0, '127.0.0.1');
  url = `http://127.0.0.1:${(app.getHttpServer().address() as AddressInfo).port}`;
});
afterAll(() => app.close());

it('the table of docs/monitoring.md has the metrics of the list', () => {
  const rows = METRIC_KEYS.map((key) => {
    const { name, type, labels, of, help } = METRICS[key];
    const cells = [
      `\`${prometheusName(METRICS[key])}\``,
      `\`${name}\``,
      type,
      labels.map((label) => `\`${label}\``).join(', ') || '–',
    ];
    return [...cells, of, help];
  });
  const [, table = ''] = /\| Prometheus[^\n]+\n\|[^\n]+\n((?:\|[^\n]+\n)+)/.exec(page) ?? [];
  const found = table
    .trim()
    .split('\n')
    .map((row) =>
      row
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
  expect(found).toEqual(rows);
});

it.each([
  ['live', ['tasks.consuming']],
  ['ready', ['tasks.engine', 'tasks.consuming']],
  ['tasks', ['tasks.backlog.mail', 'tasks.schedules']],
])('the controller of docs/monitoring.md answers /health/%s', async (path, keys) => {
  const { status, json } = await request(url, `/health/${path}`);
  expect([status, Object.keys((json() as { details: object }).details)]).toEqual([200, keys]);
});

it('the probes of the manifest in docs/monitoring.md are those of the controller', async () => {
  const [, text = ''] = /```yaml\n(apiVersion[^]+?)```/.exec(page) ?? [];
  const manifest = load(text) as {
    spec: {
      template: { spec: { containers: Record<string, { httpGet?: { path: string }; timeoutSeconds?: number }>[] } };
    };
  };
  const [container = {}] = manifest.spec.template.spec.containers;
  const probes = ['startupProbe', 'livenessProbe', 'readinessProbe'].map((name) => container[name]?.httpGet?.path);
  expect(probes).toEqual(['/health/ready', '/health/live', '/health/ready']);
  for (const path of probes) expect((await request(url, path as string)).status).toBe(200);
});
