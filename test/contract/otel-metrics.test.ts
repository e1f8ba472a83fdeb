import { expect, it, jest } from '@jest/globals';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { Task, TaskQueue, TaskQueueModule } from 'nestjs-task-queue';
import { TaskTelemetryModule } from 'nestjs-task-queue/telemetry';
import { METRIC_KEYS, METRICS } from '../../lib/metrics/metric-list.js';
import { packageVersion } from '../../lib/package-location.cjs';
import { describeEachEngine } from '../support/engines.js';
import { until } from '../support/until.js';

class Mails {
  @Task({ queue: 'mail' })
  send(value: number): number {
    return value;
  }
}

describeEachEngine('metrics of OpenTelemetry', (engine) => {
  it('are those of Prometheus under their own names, until the application closes', async () => {
    const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
    const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
    const meterProvider = new MeterProvider({ readers: [reader] });
    @Module({
      imports: [TaskQueueModule.forRoot(await engine.place()), TaskTelemetryModule.forRoot({ meterProvider })],
      providers: [Mails],
    })
    class App {}
    const app = await NestFactory.createApplicationContext(App, { logger: false, abortOnError: false });
    const collect = async () => {
      exporter.reset();
      await reader.forceFlush();
      const found = exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics }) => metrics));
      return new Map(found.map((metric) => [metric.descriptor.name, metric]));
    };
    const points = async (name: string) =>
      ((await collect()).get(name)?.dataPoints ?? []).map(({ attributes, value }) => ({ attributes, value }));
    const handles = await app
      .get(TaskQueue)
      .of(Mails)
      .send.enqueueMany([[1], [2]]);
    for (const handle of handles) await handle.result();
    const labels = { queue: 'mail', task: 'Mails.send' };
    const messaging = { 'messaging.system': 'nestjs-task-queue', 'messaging.destination.name': 'mail' };
    await until(async () => (await points('task_queue.outcomes'))[0]?.value === 2, 'the ends are counted');
    await expect(points('task_queue.outcomes')).resolves.toEqual([
      { attributes: { ...labels, outcome: 'succeeded' }, value: 2 },
    ]);
    await expect(points('messaging.client.sent.messages')).resolves.toEqual([
      { attributes: { ...labels, ...messaging, 'messaging.operation.name': 'enqueue' }, value: 2 },
    ]);
    await expect(points('messaging.process.duration')).resolves.toMatchObject([{ value: { count: 2 } }]);
    await expect(points('task_queue.workers')).resolves.toEqual([{ attributes: { queue: 'mail' }, value: 1 }]);
    await expect(points('task_queue.up')).resolves.toEqual([{ attributes: {}, value: 1 }]);
    const known = new Map<string, { unit: string; help: string }>(
      METRIC_KEYS.map((key) => [METRICS[key].name, METRICS[key]]),
    );
    for (const { descriptor } of (await collect()).values())
      expect(known.get(descriptor.name)).toMatchObject({ unit: descriptor.unit, help: descriptor.description });
    const meter = meterProvider.getMeter('nestjs-task-queue', packageVersion());
    const removed = jest.spyOn(meter, 'removeBatchObservableCallback');
    await app.close();
    expect(removed).toHaveBeenCalledTimes(1);
    await meterProvider.shutdown();
  });
});
