import { Module, type DynamicModule } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { trace, type MeterProvider, type TracerProvider } from '@opentelemetry/api';
import { Instrumentations } from '../engine/instrumentation.js';
import { ConfigurationError } from '../errors.js';
import { checkImportedOnce } from '../imported-once.js';
import { packageVersion } from '../package-location.cjs';
import { hasTracerProvider } from './has-tracer-provider.js';
import { SYSTEM } from './semantic-conventions.js';
import { SpanFlush } from './span-flush.js';
import { metricsProvider } from './task-telemetry-metrics.js';
import { TaskTracing, type ParentOption } from './task-tracing.js';
import { PackageLogger } from '../package-logger.js';

/** The options of `TaskTelemetryModule.forRoot()`. */
export interface TaskTelemetryOptions {
  /**
   * How the span of an attempt belongs to the span that enqueued the task. Default: `link`.
   *
   * - `link`: each attempt begins a trace of its own, which links to the span that enqueued the task and to the attempt before. A task
   *   that enqueues the next one, for months, then makes no endless trace.
   * - `child`: each attempt is a child of the span that enqueued the task, so a request and its tasks are one trace.
   */
  readonly parent?: ParentOption;
  /** The provider of the tracer. Default: the one that is registered globally, which has to happen before the application boots. */
  readonly tracerProvider?: TracerProvider;
  /** The provider of the meter for metrics. Default: the one that is registered globally before the application boots. */
  readonly meterProvider?: MeterProvider;
}

/** The token of what the module adds to the application. */
const TRACING = Symbol('nestjs-task-queue: tracing');

/**
 * Adds traces of OpenTelemetry: a span for each enqueue, and a span for each attempt of a task in whatever process it runs. Import it
 * once, beside `TaskQueueModule.forRoot()`, in the applications that enqueue and in those that run tasks.
 *
 * The context travels in the headers of the task (`traceparent`, `tracestate` and `baggage`, or what the application's propagator
 * uses). Without a registered provider, the module does nothing.
 *
 * @example
 * ```ts
 * @Module({
 *   imports: [TaskQueueModule.forRoot({ connection }), TaskTelemetryModule.forRoot()],
 * })
 * export class AppModule {}
 * ```
 */
@Module({})
export class TaskTelemetryModule {
  /**
   * Returns the module with these options. A wrong option makes the start of the application fail with a `ConfigurationError`.
   *
   * @param options every option has a default
   */
  static forRoot(options: TaskTelemetryOptions = {}): DynamicModule {
    const tracing = {
      provide: TRACING,
      inject: [ModulesContainer, { token: Instrumentations, optional: true }],
      useFactory: (modules: ModulesContainer, instrumentations?: Instrumentations) => {
        checkImportedOnce(modules, TRACING, 'Each attempt would have two spans');
        return new SpanFlush(addTracing(instrumentations, options));
      },
    };
    return { module: TaskTelemetryModule, providers: [tracing, metricsProvider(options.meterProvider)] };
  }
}

/** @returns the provider of the spans; `undefined` when the application has no traces */
function addTracing(
  instrumentations: Instrumentations | undefined,
  { parent = 'link', tracerProvider }: TaskTelemetryOptions,
): TracerProvider | undefined {
  if (!instrumentations) {
    throw new ConfigurationError(
      'TaskTelemetryModule is imported without TaskQueueModule. Import TaskQueueModule.forRoot() too, in the root module.',
    );
  }
  if (parent !== 'link' && parent !== 'child') {
    throw new ConfigurationError(
      `TaskTelemetryModule.forRoot({ parent: ${JSON.stringify(parent)} }) is neither 'link' nor 'child'.`,
    );
  }
  if (!tracerProvider && !hasTracerProvider()) {
    new PackageLogger().debug(
      'No provider of OpenTelemetry traces is registered, so tasks have no spans. Start the SDK before the application boots.',
    );
    return undefined;
  }
  const provider = tracerProvider ?? trace.getTracerProvider();
  instrumentations.add(new TaskTracing(provider.getTracer(SYSTEM, packageVersion()), parent));
  return provider;
}
