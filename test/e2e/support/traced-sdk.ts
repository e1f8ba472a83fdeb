/**
 * Starts the SDK of OpenTelemetry as an application does it: before everything else, with its instrumentation of HTTP. Each span that
 * ends is sent to the parent process.
 */
import { createRequire } from 'node:module';
import { SpanKind } from '@opentelemetry/api';
import { ExportResultCode } from '@opentelemetry/core';
import { registerInstrumentations } from '@opentelemetry/instrumentation';
import { HttpInstrumentation } from '@opentelemetry/instrumentation-http';
import { SimpleSpanProcessor, type ReadableSpan, type SpanExporter } from '@opentelemetry/sdk-trace-base';
import { NodeTracerProvider } from '@opentelemetry/sdk-trace-node';

/** A span as the parent process gets it. */
export interface SentSpan {
  readonly process: string;
  readonly name: string;
  readonly kind: keyof typeof SpanKind;
  readonly place: string;
  readonly parent: string | undefined;
  readonly links: readonly string[];
  readonly attributes: ReadableSpan['attributes'];
}

const placeOf = ({ traceId, spanId }: { traceId: string; spanId: string }) => `${traceId}-${spanId}`;

const exporter: SpanExporter = {
  export(spans, done) {
    for (const span of spans) {
      process.send?.({
        process: process.env['NAME'],
        name: span.name,
        kind: SpanKind[span.kind],
        place: placeOf(span.spanContext()),
        parent: span.parentSpanContext && placeOf(span.parentSpanContext),
        links: span.links.map(({ context }) => placeOf(context)),
        attributes: span.attributes,
      });
    }
    done({ code: ExportResultCode.SUCCESS });
  },
  shutdown: async () => undefined,
};

new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }).register();
registerInstrumentations({ instrumentations: [new HttpInstrumentation()] });
// The instrumentation changes the module when CommonJS loads it.
createRequire(import.meta.url)('node:http');
