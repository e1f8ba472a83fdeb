import { Module, type INestApplication, type Provider } from '@nestjs/common';
import { NestFactory, type AbstractHttpAdapter } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { TaskQueue, TaskQueueModule, type TaskQueueOptions } from 'nestjs-task-queue';
import { TaskMetricsModule, type TaskMetricsExtras, type TaskMetricsOptions } from 'nestjs-task-queue/metrics';
import type { AddressInfo } from 'node:net';
import type { Platform } from './http-app.js';
import { request } from './http-client.js';

/** A value of a metric with its labels, as the text has it. */
export interface Series {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** What the text of an endpoint says. `promtool` checks elsewhere that the text is valid. */
export class Scrape {
  private readonly found: (Series & { readonly name: string })[] = [];

  constructor(readonly text: string) {
    for (const line of text.split('\n')) {
      const [, name, labels = '', value] = /^([a-z_]+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
      if (name === undefined) continue;
      const pairs = Array.from(labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g), ([, key, worth = '']) => [key, worth]);
      this.found.push({ name, labels: Object.fromEntries(pairs) as Record<string, string>, value: Number(value) });
    }
  }

  /** The names of the metrics, as their types declare them. */
  names(): string[] {
    return Array.from(this.text.matchAll(/^# TYPE (\S+)/gm), ([, name = '']) => name);
  }

  /** All series of a metric. */
  series(name: string): Series[] {
    return this.found.filter((one) => one.name === name);
  }

  /** The sum of the series with these labels; `undefined` when there is none. */
  value(name: string, labels: Record<string, string> = {}): number | undefined {
    const found = this.series(name).filter((one) =>
      Object.entries(labels).every(([key, value]) => one.labels[key] === value),
    );
    return found.length === 0 ? undefined : found.reduce((sum, { value }) => sum + value, 0);
  }

  /** All values of all labels. */
  labelValues(): Set<string> {
    return new Set(this.found.flatMap(({ labels }) => Object.values(labels)));
  }
}

export interface MetricsApp {
  readonly app: INestApplication;
  readonly url: string;
  readonly queue: TaskQueue;
  scrape(): Promise<Scrape>;
}

/** Starts an application that shows its metrics. */
export async function startMetricsApp(
  options: TaskQueueOptions,
  {
    providers = [],
    platform = 'express',
    prepare,
    ...metrics
  }: TaskMetricsOptions &
    TaskMetricsExtras & { providers?: Provider[]; platform?: Platform; prepare?(app: INestApplication): void } = {},
): Promise<MetricsApp> {
  @Module({
    imports: [TaskQueueModule.forRoot(options), TaskMetricsModule.forRoot({ interval: 0, ...metrics })],
    providers,
  })
  class App {}
  const adapter: AbstractHttpAdapter = platform === 'express' ? new ExpressAdapter() : new FastifyAdapter();
  const app = await NestFactory.create(App, adapter, { logger: false, abortOnError: false });
  prepare?.(app);
  await app.listen(0, '127.0.0.1');
  const url = `http://127.0.0.1:${(app.getHttpServer().address() as AddressInfo).port}`;
  return {
    app,
    url,
    queue: app.get(TaskQueue),
    scrape: async () => new Scrape((await request(url, '/metrics')).text),
  };
}
