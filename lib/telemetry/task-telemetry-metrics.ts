import type { OnApplicationShutdown, Provider } from '@nestjs/common';
import { createNoopMeter, metrics, type MeterProvider } from '@opentelemetry/api';
import type { Engine } from '../engine/engine.js';
import { OtelMetrics } from '../metrics/otel-metrics.js';
import { TaskMeter } from '../metrics/task-meter.js';
import { packageVersion } from '../package-location.cjs';
import { ScheduleLag } from '../schedules/schedule-lag.js';
import { ENGINE, OUTBOX } from '../task-queue-tokens.js';
import { TaskRegistry } from '../tasks/task-registry.js';
import type { Outbox } from '../transactions/outbox/outbox.js';
import { TaskWorkers } from '../workers/task-workers.js';
import { SYSTEM } from './semantic-conventions.js';

/** Milliseconds between two countings of the store, by one of all processes. */
const INTERVAL = 15_000;
/** How many names of tasks that a process does not declare are told apart. */
const MOST_TASKS = 200;

/** The metrics of an application, as long as it runs. Without a provider of meters there are none, and nothing is measured. */
export class TaskTelemetryMetrics implements OnApplicationShutdown {
  constructor(private readonly own: OtelMetrics | undefined) {}

  onApplicationShutdown(): void {
    this.own?.stop();
  }
}

/** @param given the option `meterProvider` */
export function metricsProvider(given: MeterProvider | undefined): Provider {
  const optional = (token: symbol | typeof ScheduleLag | typeof TaskWorkers | typeof TaskRegistry) => ({
    token,
    optional: true,
  });
  return {
    provide: TaskTelemetryMetrics,
    inject: [ENGINE, ScheduleLag, TaskWorkers, TaskRegistry, OUTBOX].map(optional),
    useFactory: (
      engine: Engine | undefined,
      lag: ScheduleLag,
      workers: TaskWorkers,
      registry: TaskRegistry,
      outbox: Outbox | undefined,
    ) => {
      const provider = given ?? metrics.getMeterProvider();
      const meter = provider.getMeter(SYSTEM, packageVersion());
      // Without TaskQueueModule the application does not start: its traces say so.
      if (!engine || meter.constructor === createNoopMeter().constructor) return new TaskTelemetryMetrics(undefined);
      const deps = { engine, lag, workers, registry, outbox, interval: INTERVAL, maxTasks: MOST_TASKS };
      return new TaskTelemetryMetrics(new OtelMetrics(meter, new TaskMeter(deps)));
    },
  };
}
