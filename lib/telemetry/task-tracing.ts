import { context, ROOT_CONTEXT, SpanKind, trace, type Context, type Span, type Tracer } from '@opentelemetry/api';
import type { AttemptOutcome, HeaderChanges, Instrumentation, Sending } from '../engine/instrumentation.js';
import type { Delivery } from '../engine/ports/worker-port.js';
import type { Receipt } from '../engine/task.js';
import { isDutyTask } from '../engine/workflow-note.js';
import { contextIn, fromMark, headersOf, isInTrace, linksTo, toMark } from './propagation.js';
import * as names from './semantic-conventions.js';
import { attributesOfRun, attributesOfSending, nameOfSending } from './span-attributes.js';
import { endWithError, setOutcome } from './span-end.js';

/**
 * How the span of an attempt belongs to the span that enqueued the task:
 *
 * - `link`: it begins a trace of its own and links to it.
 * - `child`: it is a child of it, in the same trace.
 */
export type ParentOption = 'link' | 'child';

/** Makes the spans, and passes the context on in the headers of tasks. */
export class TaskTracing implements Instrumentation {
  /** The contexts of attempts: what this package stores because of one belongs to its trace. */
  private readonly attempts = new WeakMap<Delivery, Context>();

  constructor(
    private readonly tracer: Tracer,
    private readonly parent: ParentOption,
  ) {}

  store(sending: Sending, store: (headers: HeaderChanges) => Promise<readonly Receipt[]>): Promise<readonly Receipt[]> {
    const parent = this.contextOf(sending);
    // A duty is no task of the application. It carries the context to the callbacks that it enqueues.
    if (sending.calls.every(({ name }) => isDutyTask(name))) return store(headersOf(parent));
    const span = this.tracer.startSpan(
      nameOfSending(sending),
      { kind: SpanKind.PRODUCER, attributes: attributesOfSending(sending) },
      parent,
    );
    const own = trace.setSpan(parent, span);
    return this.traced(span, own, async () => {
      const receipts = await store(headersOf(own));
      const [first, ...more] = receipts;
      if (first?.deduplicated && more.length === 0) {
        span.setAttributes({ [names.DEDUPLICATED]: true, [names.MESSAGE_ID]: first.id });
      }
      return receipts;
    });
  }

  run<O extends AttemptOutcome>(delivery: Delivery, next: () => Promise<O>): Promise<O> {
    // A worker may have taken the task while some context was active: that of the call which woke it, for example.
    const sender = contextIn(delivery.headers);
    const isChild = this.parent === 'child';
    const span = this.tracer.startSpan(
      `run ${delivery.name}`,
      {
        kind: SpanKind.CONSUMER,
        attributes: attributesOfRun(delivery),
        root: !isChild,
        links: linksTo(isChild ? undefined : trace.getSpanContext(sender), fromMark(delivery.markBefore())),
      },
      sender,
    );
    const own = trace.setSpan(sender, span);
    this.attempts.set(delivery, own);
    delivery.mark(toMark(span.spanContext()));
    return this.traced(span, own, async () => {
      const outcome = await next();
      setOutcome(span, outcome);
      return outcome;
    });
  }

  /** Runs `body` with its span as the active one, and ends the span. */
  private async traced<T>(span: Span, own: Context, body: () => Promise<T>): Promise<T> {
    try {
      return await context.with(own, body);
    } catch (error) {
      endWithError(span, error);
      throw error;
    } finally {
      span.end();
    }
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
    return isInTrace(active) ? active : inHeaders();
  }
}
