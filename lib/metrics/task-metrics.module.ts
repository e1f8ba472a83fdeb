import { ConfigurableModuleBuilder, Module, type DynamicModule, type Provider } from '@nestjs/common';
import type { Engine } from '../engine/engine.js';
import { ScheduleLag } from '../schedules/schedule-lag.js';
import { ENGINE, OUTBOX } from '../task-queue-tokens.js';
import { TaskRegistry } from '../tasks/task-registry.js';
import type { Outbox } from '../transactions/outbox/outbox.js';
import { TaskWorkers } from '../workers/task-workers.js';
import { METRICS_REGISTRY } from '../workers/worker-process.js';
import { createMetricsController } from './metrics.controller.js';
import { resolveMetricsOptions, type TaskMetricsExtras, type TaskMetricsOptions } from './metrics-options.js';
import { TaskMeter } from './task-meter.js';
import { TaskMetrics } from './task-metrics.js';

const {
  ConfigurableModuleClass,
  MODULE_OPTIONS_TOKEN,
  ASYNC_OPTIONS_TYPE: _ASYNC_OPTIONS_TYPE,
} = new ConfigurableModuleBuilder<TaskMetricsOptions>()
  .setClassMethodName('forRoot')
  .setExtras<TaskMetricsExtras>({}, (definition, extras) => ({
    ...definition,
    imports: [...(definition.imports ?? []), ...(extras.imports ?? [])],
    controllers: extras.path === false ? [] : [createMetricsController(extras)],
  }))
  .build();

/** The options of `TaskMetricsModule.forRootAsync()`: those of any module of Nest, and `path` and `guards`. */
export type TaskMetricsAsyncOptions = typeof _ASYNC_OPTIONS_TYPE;

const METRICS_PROVIDER: Provider = {
  provide: TaskMetrics,
  inject: [ENGINE, ScheduleLag, TaskWorkers, TaskRegistry, OUTBOX, MODULE_OPTIONS_TOKEN],
  useFactory: (
    engine: Engine,
    lag: ScheduleLag,
    workers: TaskWorkers,
    registry: TaskRegistry,
    outbox: Outbox | undefined,
    options: TaskMetricsOptions,
  ) => {
    const { interval, maxTasks, registry: given } = resolveMetricsOptions(options);
    return new TaskMetrics(new TaskMeter({ engine, lag, workers, registry, outbox, interval, maxTasks }), given);
  },
};

/**
 * Shows the metrics of background tasks to Prometheus, through `prom-client`. Import it once, beside `TaskQueueModule.forRoot()`, in
 * every application that enqueues or runs tasks. Nest's guards run for the route, also global ones.
 *
 * @example
 * ```ts
 * TaskMetricsModule.forRoot({ path: 'metrics', imports: [AuthModule], guards: [MonitoringGuard] })
 * ```
 */
@Module({})
export class TaskMetricsModule extends ConfigurableModuleClass {
  /**
   * Returns the module with these options. A wrong option makes the start of the application fail with a `ConfigurationError`.
   *
   * @param options every option has a default
   */
  static override forRoot(options: TaskMetricsOptions & TaskMetricsExtras = {}): DynamicModule {
    return complete(super.forRoot(options));
  }

  /** Returns the module with options that a factory or a class creates. `path`, `guards` and `imports` are given directly. */
  static override forRootAsync(options: TaskMetricsAsyncOptions): DynamicModule {
    return complete(super.forRootAsync(options));
  }
}

/** The command `worker` adds up the metrics of its processes. */
const REGISTRY_PROVIDER: Provider = {
  provide: METRICS_REGISTRY,
  inject: [TaskMetrics],
  useFactory: ({ registry }: TaskMetrics) => registry,
};

function complete(definition: DynamicModule): DynamicModule {
  const providers = [...(definition.providers ?? []), METRICS_PROVIDER, REGISTRY_PROVIDER];
  return { ...definition, providers, exports: [TaskMetrics] };
}
