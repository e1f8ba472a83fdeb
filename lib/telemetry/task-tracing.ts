import { context, diag, ROOT_CONTEXT, SpanKind, trace, type Context, type Span, type Tracer } from '@opentelemetry/api';
import type { AttemptOutcome, HeaderChanges, Instrumentation, Sending } from '../engine/instrumentation.js';
import type { Delivery } from '../engine/ports/worker-port.js';
import type { Receipt } from '../engine/task.js';
import { isDutyTask } from '../engine/workflow-note.js';
import { contextIn, fromMark, headersOf, isInTrace, linksTo, toMark, withBaggageOf } from './propagation.js';
import { attributesOfRun, attributesOfSending, nameOfSending } from './span-attributes.js';
import { setError, setOutcome, setReceipts } from './span-end.js';

/**
 * How the span of an attempt belongs to the span that enqueued the task:
 *
 * - `link`: it begins a trace of its own and links to it.
 * - `child`: it is a child of it, in the same trace.
 */
export type ParentOption = 'link' | 'child';

/** A span that has begun, the context in which it is active, and the headers that carry this context. */
interface Begun {
  readonly span: Span | undefined;
  readonly own: Context;
  readonly headers: HeaderChanges;
}

/**
 * Makes the spans, and passes the context on in the headers of tasks. An SDK that throws costs a span, but no task: OpenTelemetry's
 * logger for diagnoses reports it.
 */
export class TaskTracing implements Instrumentation {
  /** The contexts of attempts: what this package stores because of one belongs to its trace. */
  private readonly attempts = new WeakMap<Delivery, Context>();

  constructor(
    private readonly tracer: Tracer,
    private readonly parent: ParentOption,
  ) {}

  store(sending: Sending, store: (headers: HeaderChanges) => Promise<readonly Receipt[]>): Promise<readonly Receipt[]> {
    const begun = safely(() => this.beginSending(sending));
    if (!begun) return store({});
    return traced(begun, () => store(begun.headers), setReceipts);
  }

  run<O extends AttemptOutcome>(delivery: Delivery, next: () => Promise<O>): Promise<O> {
    const begun = safely(() => this.beginRun(delivery));
    return begun ? traced(begun, next, setOutcome) : next();
  }

  carry(): HeaderChanges {
    return safely(() => headersOf(context.active())) ?? {};
  }

  resume<R>(headers: HeaderChanges, next: () => R): R {
    const carried = safely(() => contextIn(withValues(headers)));
    return carried ? context.with(carried, next) : next();
  }

  private beginSending(sending: Sending): Begun {
    const parent = this.contextOf(sending);
    // A duty is no task of the application. It carries the context to the callbacks that it enqueues.
    if (sending.calls.every(({ name }) => isDutyTask(name)))
      return { span: undefined, own: parent, headers: headersOf(parent) };
    const options = { kind: SpanKind.PRODUCER, attributes: attributesOfSending(sending) };
    const span = this.tracer.startSpan(nameOfSending(sending), options, parent);
    const own = trace.setSpan(parent, span);
    return { span, own, headers: headersOf(own) };
  }

  private beginRun(delivery: Delivery): Begun {
    // Not the active context: a worker may have taken the task in that of the call which woke it.
    const sender = contextIn(delivery.headers);
    const isChild = this.parent === 'child';
    const options = {
      kind: SpanKind.CONSUMER,
      attributes: attributesOfRun(delivery),
      root: !isChild,
      links: linksTo(isChild ? undefined : trace.getSpanContext(sender), fromMark(delivery.markBefore())),
    };
    const span = this.tracer.startSpan(`run ${delivery.name}`, options, sender);
    const own = trace.setSpan(sender, span);
    this.attempts.set(delivery, own);
    delivery.mark(toMark(span.spanContext()));
    return { span, own, headers: {} };
  }

  /** The context that a sending belongs to. */
  private contextOf({ calls: [first], cause }: Sending): Context {
    const inHeaders = () => contextIn(first?.headers ?? {});
    // A timer that ticks, or a worker that ends a task, may run in the context of any caller.
    if (cause === 'schedule') return ROOT_CONTEXT;
    if (cause) {
      const own = this.attempts.get(cause) ?? contextIn(cause.headers);
      return isInTrace(own) ? own : inHeaders();
    }
    const active = context.active();
    return isInTrace(active) ? active : withBaggageOf(active, inHeaders());
  }
}

/** Runs `body` with its span as the active one, describes its end in the span, and ends the span. */
async function traced<T>(
  { span, own }: Begun,
  body: () => Promise<T>,
  describe: (span: Span, result: T) => void,
): Promise<T> {
  try {
    const result = await context.with(own, body);
    safely(() => span && describe(span, result));
    return result;
  } catch (error) {
    safely(() => span && setError(span, error));
    throw error;
  } finally {
    safely(() => span?.end());
  }
}

/** @returns `undefined` when the SDK throws */
function safely<T>(use: () => T): T | undefined {
  try {
    return use();
  } catch (error) {
    diag.error('nestjs-task-queue: a span of a task is lost', error);
    return undefined;
  }
}

function withValues(headers: HeaderChanges): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}
