import { Registry } from 'prom-client';
import { PrometheusMetrics, type GaugeSource } from './prometheus-metrics.js';
import type { TaskMeter } from './task-meter.js';

/**
 * The metrics of this process, for applications that show them in another way than by the route: a process without HTTP, for example.
 *
 * @example
 * ```ts
 * constructor(private readonly metrics: TaskMetrics) {}
 *
 * push(): Promise<void> {
 *   return this.gateway.push(await this.metrics.text());
 * }
 * ```
 */
export class TaskMetrics {
  /** The registry of `prom-client` that has the metrics. */
  readonly registry: Registry;
  readonly #metrics: PrometheusMetrics;
  readonly #source: GaugeSource;
  readonly #stop: () => void;

  /** @internal */
  constructor(meter: TaskMeter, registry: Registry | undefined) {
    this.registry = registry ?? new Registry();
    this.#source = () => meter.read();
    this.#metrics = PrometheusMetrics.in(this.registry, this.#source);
    this.#stop = meter.record(this.#metrics);
  }

  /** The media type of {@link text}. */
  get contentType(): string {
    return this.registry.contentType;
  }

  /** All metrics of the registry in the text format of Prometheus. Waits up to five seconds for the store. */
  text(): Promise<string> {
    return this.registry.metrics();
  }

  /** Nest calls this hook when the application closes. */
  onApplicationShutdown(): void {
    this.#stop();
    this.#metrics.leave(this.#source);
  }
}
