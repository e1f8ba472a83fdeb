import { describe, expect, it } from '@jest/globals';
import { propagation, ROOT_CONTEXT, trace } from '@opentelemetry/api';
import type { Headers } from '../../../lib/engine/task.js';
import {
  contextIn,
  fromMark,
  headersOf,
  isInTrace,
  linksTo,
  toMark,
  withBaggageOf,
} from '../../../lib/telemetry/propagation.js';
import { Spans } from '../../support/spans.js';

new Spans().register();

const PLACE = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), traceFlags: 1 };

describe('the mark of an attempt', () => {
  it('is read as it was written', () => {
    expect(fromMark(toMark(PLACE))).toEqual({ ...PLACE, isRemote: true });
    expect(fromMark(toMark({ ...PLACE, traceFlags: 0 }))).toMatchObject({ traceFlags: 0 });
  });

  it.each([undefined, '', 'x', `00-${'a'.repeat(32)}-b-01`, `${toMark(PLACE)}\n`])('%j is none', (text) => {
    expect(fromMark(text)).toBeUndefined();
  });
});

describe('headers', () => {
  it('carry the place in a trace and baggage', () => {
    const baggage = propagation.createBaggage({ tenant: { value: 'acme' } });
    const context = propagation.setBaggage(trace.setSpanContext(ROOT_CONTEXT, PLACE), baggage);
    const headers = headersOf(context);
    expect(headers).toEqual({ traceparent: toMark(PLACE), tracestate: undefined, baggage: 'tenant=acme' });
    const read = contextIn({ traceparent: toMark(PLACE), baggage: 'tenant=acme' });
    expect(trace.getSpanContext(read)).toEqual({ ...PLACE, isRemote: true });
    expect(propagation.getBaggage(read)?.getEntry('tenant')?.value).toBe('acme');
  });

  it('of a context outside of traces remove what another context left behind', () => {
    expect(headersOf(ROOT_CONTEXT)).toEqual({ traceparent: undefined, tracestate: undefined, baggage: undefined });
  });

  it('carry the active baggage where no span is active, and else their own', () => {
    const given = contextIn({ traceparent: toMark(PLACE), baggage: 'tenant=umbrella' });
    const active = propagation.setBaggage(ROOT_CONTEXT, propagation.createBaggage({ tenant: { value: 'acme' } }));
    expect(headersOf(withBaggageOf(active, given))).toMatchObject({
      traceparent: toMark(PLACE),
      baggage: 'tenant=acme',
    });
    expect(withBaggageOf(ROOT_CONTEXT, given)).toBe(given);
  });

  it.each<Headers>([{}, { traceparent: 'x' }, { traceparent: '00-0-0-00' }])('%j are in no trace', (headers) => {
    expect(isInTrace(contextIn(headers))).toBe(false);
  });
});

it('only places that are known are linked to', () => {
  const unknown = { ...PLACE, traceId: '0'.repeat(32) };
  expect(linksTo(undefined, PLACE, unknown)).toEqual([{ context: PLACE }]);
});
