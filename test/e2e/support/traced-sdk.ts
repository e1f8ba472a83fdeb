/**
 * Starts the SDK of OpenTelemetry as an application does it: before everything else, with its instrumentation of HTTP. Each span that
 * ends is sent to the parent process. With `SPANS`, spans are collected and appended to that file instead, each as a line.
 */
import { appendFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { SpanKind } from '@opentelemetry/api';
import { ExportResultCode } from '@opentelemetry/core';
import { registerInstrumentations } from '@opentelemetry/instrumentation';
import { HttpInstrumentation } from '@opentelemetry/instrumentation-http';
import {
  BatchSpanProcessor,
  SimpleSpanProcessor,
  type ReadableSpan,
  type SpanExporter,
} from '@opentelemetry/sdk-trace-base';
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

const file = process.env['SPANS'];

function send(span: SentSpan): void {
  if (file === undefined) process.send?.(span);
  else appendFileSync(file, `${JSON.stringify(span)}\n`);
}

const exporter: SpanExporter = {
  export(spans, done) {
    for (const span of spans) {
      send({
        process: process.env['NAME'] ?? '',
        name: span.name,
        kind: SpanKind[span.kind] as SentSpan['kind'],
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

const Processor = file === undefined ? SimpleSpanProcessor : BatchSpanProcessor;
new NodeTracerProvider({ spanProcessors: [new Processor(exporter)] }).register();
registerInstrumentations({ instrumentations: [new HttpInstrumentation()] });
// The instrumentation changes the module when CommonJS loads it.
createRequire(import.meta.url)('node:http');
