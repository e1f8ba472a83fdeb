import { SpanKind, type AttributeValue, type SpanContext } from '@opentelemetry/api';
import { InMemorySpanExporter, SimpleSpanProcessor, type ReadableSpan } from '@opentelemetry/sdk-trace-base';
import { NodeTracerProvider } from '@opentelemetry/sdk-trace-node';
import { until } from './until.js';

/**
 * The spans that a tracer of the real SDK exported in this process. `register` makes it the global one of the test file, together
 * with a context manager and the propagators for `traceparent` and `baggage`.
 */
export class Spans {
  private readonly exporter = new InMemorySpanExporter();
  readonly provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(this.exporter)] });

  register(): this {
    this.provider.register();
    return this;
  }

  all(): ReadableSpan[] {
    return this.exporter.getFinishedSpans();
  }

  /** The spans around the storing of calls. */
  sent(task?: string): ReadableSpan[] {
    return this.of(SpanKind.PRODUCER).filter(
      (span) => task === undefined || attribute(span, 'task_queue.task') === task,
    );
  }

  /** The spans of the attempts of a task, in the order of their ends. */
  runsOf(id: string): ReadableSpan[] {
    return this.of(SpanKind.CONSUMER).filter((span) => attribute(span, 'messaging.message.id') === id);
  }

  /** Resolves with the span of the attempt of a task with this number, once it has ended. */
  async run(id: string, attempt = 1): Promise<ReadableSpan> {
    const find = () => this.runsOf(id).find((span) => attribute(span, 'task_queue.attempt') === attempt);
    await until(() => find() !== undefined, `attempt ${attempt} of task ${id} has a span`);
    return find() as ReadableSpan;
  }

  /** Resolves with the only span of this name, once it has ended. */
  async named(name: string): Promise<ReadableSpan> {
    const find = () => this.all().filter((span) => span.name === name);
    await until(
      () => find().length === 1,
      () => `one span is named "${name}", but there are ${find().length}`,
    );
    return find()[0] as ReadableSpan;
  }

  reset(): void {
    this.exporter.reset();
  }

  async close(): Promise<void> {
    await this.provider.shutdown();
  }

  private of(kind: SpanKind): ReadableSpan[] {
    return this.all().filter((span) => span.kind === kind);
  }
}

export function attribute(span: ReadableSpan, name: string): AttributeValue | undefined {
  return span.attributes[name];
}

/** Where a span is, as a text that can be compared. */
export function placeOf({ traceId, spanId }: Pick<SpanContext, 'traceId' | 'spanId'>): string {
  return `${traceId}-${spanId}`;
}

export function placeOfSpan(span: ReadableSpan): string {
  return placeOf(span.spanContext());
}

export function linksOf(span: ReadableSpan): string[] {
  return span.links.map(({ context }) => placeOf(context));
}

/** The place of the span's parent; `undefined` when the span begins a trace. */
export function parentOf(span: ReadableSpan): string | undefined {
  return span.parentSpanContext && placeOf(span.parentSpanContext);
}
