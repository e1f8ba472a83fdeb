import {
  isSpanContextValid,
  propagation,
  ROOT_CONTEXT,
  trace,
  type Context,
  type Link,
  type SpanContext,
} from '@opentelemetry/api';
import type { HeaderChanges } from '../engine/instrumentation.js';
import type { Headers } from '../engine/task.js';

/** The context that headers carry: the place in a trace, and baggage. */
export function contextIn(headers: Headers): Context {
  return propagation.extract(ROOT_CONTEXT, headers);
}

/** A context with the baggage of an active one, if that has some. Baggage travels also where no span is active. */
export function withBaggageOf(active: Context, other: Context): Context {
  const baggage = propagation.getBaggage(active);
  return baggage ? propagation.setBaggage(other, baggage) : other;
}

/** Whether a context has a place in a trace. */
export function isInTrace(context: Context): boolean {
  const spanContext = trace.getSpanContext(context);
  return spanContext !== undefined && isSpanContextValid(spanContext);
}

/** The headers that carry a context. Those that another context left behind are removed. */
export function headersOf(context: Context): HeaderChanges {
  const headers: Record<string, string | undefined> = {};
  for (const field of propagation.fields()) headers[field] = undefined;
  propagation.inject(context, headers);
  return headers;
}

/** Links to the places in traces that are known. */
export function linksTo(...places: (SpanContext | undefined)[]): Link[] {
  return places.flatMap((context) => (context && isSpanContextValid(context) ? [{ context }] : []));
}

/** The place of a span as text: `traceparent` of W3C Trace Context, whatever propagator the application uses. */
export function toMark({ traceId, spanId, traceFlags }: SpanContext): string {
  return `00-${traceId}-${spanId}-${(traceFlags & 0xff).toString(16).padStart(2, '0')}`;
}

/** @returns `undefined` when the text is none of {@link toMark} */
export function fromMark(mark: string | undefined): SpanContext | undefined {
  const [, traceId, spanId, flags] = /^00-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})$/.exec(mark ?? '') ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true };
}
