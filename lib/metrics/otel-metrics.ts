import type {
  Attributes,
  BatchObservableCallback,
  Counter,
  Histogram,
  Meter,
  Observable,
  ObservableGauge,
} from '@opentelemetry/api';
import { BUCKETS, METRIC_KEYS, METRICS, type KeysOf, type Labels, type Metric, type MetricKey } from './metric-list.js';
import type { TaskMeter } from './task-meter.js';
import type { Recording } from './task-recorder.js';

/** What the conventions for messaging ask of their own metrics, beside the labels of this package. */
const OPERATIONS: Partial<Record<MetricKey, string>> = { sent: 'enqueue', consumed: 'run', processDuration: 'run' };

/** The metrics of one application as instruments of OpenTelemetry. */
export class OtelMetrics implements Recording {
  private readonly counters = new Map<MetricKey, Counter>();
  private readonly histograms = new Map<MetricKey, Histogram>();
  private readonly gauges = new Map<MetricKey, ObservableGauge>();
  private readonly stopRecording: () => void;
  private readonly observeAll: BatchObservableCallback;

  constructor(
    private readonly meter: Meter,
    taskMeter: Pick<TaskMeter, 'read' | 'record'>,
  ) {
    for (const key of METRIC_KEYS) this.create(key, METRICS[key]);
    this.observeAll = async (result) => {
      for (const { key, labels, value } of await taskMeter.read()) {
        const gauge = this.gauges.get(key);
        if (gauge) result.observe(gauge, value, labels);
      }
    };
    meter.addBatchObservableCallback(this.observeAll, this.observables());
    this.stopRecording = taskMeter.record(this);
  }

  count(key: KeysOf<'counter'>, labels: Labels): void {
    this.counters.get(key)?.add(1, attributesOf(key, labels));
  }

  observe(key: KeysOf<'histogram'>, labels: Labels, seconds: number): void {
    this.histograms.get(key)?.record(seconds, attributesOf(key, labels));
  }

  /** Safe to call twice. */
  stop(): void {
    this.stopRecording();
    this.meter.removeBatchObservableCallback(this.observeAll, this.observables());
  }

  private create(key: MetricKey, { name, type, unit, help: description }: Metric): void {
    const settings = { unit, description };
    if (type === 'counter') this.counters.set(key, this.meter.createCounter(name, settings));
    else if (type === 'gauge') this.gauges.set(key, this.meter.createObservableGauge(name, settings));
    else {
      const advice = { explicitBucketBoundaries: [...BUCKETS] };
      this.histograms.set(key, this.meter.createHistogram(name, { ...settings, advice }));
    }
  }

  private observables(): Observable[] {
    return [...this.gauges.values()];
  }
}

function attributesOf(key: MetricKey, labels: Labels): Attributes {
  const operation = OPERATIONS[key];
  if (operation === undefined) return labels;
  return {
    ...labels,
    'messaging.system': 'nestjs-task-queue',
    'messaging.destination.name': labels.queue,
    'messaging.operation.name': operation,
  };
}
