import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { ConfigurationError } from '../errors.js';
import {
  BUCKETS,
  METRIC_KEYS,
  METRICS,
  prometheusName,
  type KeysOf,
  type Labels,
  type Metric,
  type MetricKey,
  type Sample,
} from './metric-list.js';
import type { Recording } from './task-recorder.js';

/** Gives the values of the gauges of one application. */
export type GaugeSource = () => Promise<readonly Sample[]>;

/** The gauge by which a second application in the same registry finds the metrics of the first. */
class AnchorGauge extends Gauge {
  constructor(
    readonly metrics: PrometheusMetrics,
    configuration: ConstructorParameters<typeof Gauge>[0],
  ) {
    super(configuration);
  }
}

/**
 * The metrics in one registry. Several applications of a process may share the registry: they share the metrics too, and the last one
 * that leaves removes them. Nothing is kept outside of the registry.
 */
export class PrometheusMetrics implements Recording {
  private readonly counters = new Map<MetricKey, Counter>();
  private readonly histograms = new Map<MetricKey, Histogram>();
  private readonly gauges = new Map<MetricKey, Gauge>();
  private readonly sources = new Set<GaugeSource>();
  private reading: Promise<void> | undefined;

  private constructor(private readonly registry: Registry) {
    for (const key of METRIC_KEYS) this.create(key, METRICS[key]);
  }

  /**
   * The metrics in a registry, with this source of gauges.
   *
   * @throws ConfigurationError when the registry has a metric of the same name that is not of this package
   */
  static in(registry: Registry, source: GaugeSource): PrometheusMetrics {
    const anchor = registry.getSingleMetric(prometheusName(METRICS.up));
    const metrics = anchor instanceof AnchorGauge ? anchor.metrics : new PrometheusMetrics(registry);
    metrics.sources.add(source);
    return metrics;
  }

  /** Removes a source, and with the last one the metrics. Safe to call twice. */
  leave(source: GaugeSource): void {
    if (!this.sources.delete(source) || this.sources.size > 0) return;
    for (const key of METRIC_KEYS) this.registry.removeSingleMetric(prometheusName(METRICS[key]));
  }

  count(key: KeysOf<'counter'>, labels: Labels): void {
    this.counters.get(key)?.inc(labels);
  }

  observe(key: KeysOf<'histogram'>, labels: Labels, seconds: number): void {
    this.histograms.get(key)?.observe(labels, seconds);
  }

  private create(key: MetricKey, metric: Metric): void {
    const name = prometheusName(metric);
    if (this.registry.getSingleMetric(name)) {
      throw new ConfigurationError(
        `The registry of TaskMetricsModule has a metric ${name} already. Give the module a registry of its own, or rename the other metric.`,
      );
    }
    const common = { name, help: metric.help, labelNames: [...metric.labels], registers: [this.registry as never] };
    if (metric.type === 'counter') this.counters.set(key, new Counter(common));
    else if (metric.type === 'histogram') this.histograms.set(key, new Histogram({ ...common, buckets: [...BUCKETS] }));
    else {
      // For whatever adds up the registries of several processes, such as the worker command.
      const aggregator = key === 'up' ? ('min' as const) : metric.of === 'store' ? ('max' as const) : ('sum' as const);
      const settings = { ...common, aggregator, collect: () => this.refresh() };
      const gauge = key === 'up' ? new AnchorGauge(this, settings) : new Gauge(settings);
      this.gauges.set(key, gauge);
    }
  }

  /** The registry asks every gauge at the same time, and they share one reading. */
  private refresh(): Promise<void> {
    this.reading ??= this.readAll().finally(() => (this.reading = undefined));
    return this.reading;
  }

  private async readAll(): Promise<void> {
    const read = await Promise.all([...this.sources].map((source) => source()));
    for (const gauge of this.gauges.values()) gauge.reset();
    for (const { key, labels, value } of read.flat()) {
      const gauge = this.gauges.get(key);
      // The applications of one process have places of their own, and may show the same store.
      if (METRICS[key].of === 'process' && key !== 'up') gauge?.inc(labels, value);
      else gauge?.set(labels, value);
    }
  }
}
