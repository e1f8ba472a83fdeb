import { SpanStatusCode, type Span } from '@opentelemetry/api';
import type { AttemptOutcome } from '../engine/instrumentation.js';
import { isCancellation, isExpiry } from '../engine/failures.js';
import type { Receipt, TaskFailure } from '../engine/task.js';
import { DEDUPLICATED, ERROR_TYPE, MESSAGE_ID, OUTCOME } from './semantic-conventions.js';

/** Describes in the span of an enqueue what the call became. */
export function setReceipts(span: Span, [first, ...more]: readonly Receipt[]): void {
  if (first?.deduplicated && more.length === 0) span.setAttributes({ [DEDUPLICATED]: true, [MESSAGE_ID]: first.id });
}

/** Describes in the span of an attempt how the attempt ended. */
export function setOutcome(span: Span, outcome: AttemptOutcome): void {
  span.setAttribute(OUTCOME, nameOf(outcome));
  // A caller wanted the cancel, so it is no error.
  if ((outcome.kind === 'failed' && !isCancellation(outcome.failure)) || outcome.kind === 'retry')
    recordFailure(span, outcome.failure);
}

/** Describes in a span that its operation threw. */
export function setError(span: Span, error: unknown): void {
  const { name = 'Error', message = String(error), code, stack } = error instanceof Error ? (error as ThrownError) : {};
  recordFailure(span, {
    name,
    message,
    ...(typeof code === 'string' && { code }),
    ...(stack !== undefined && { stack }),
  });
}

type ThrownError = Error & { readonly code?: unknown };

function recordFailure(span: Span, { name, message, code, stack }: TaskFailure): void {
  span.recordException({ name, message, ...(stack !== undefined && { stack }) });
  span.setStatus({ code: SpanStatusCode.ERROR, message });
  span.setAttribute(ERROR_TYPE, code ?? name);
}

/** A waiting task has let another task or workflow take its place, or has more members than before. */
function nameOf(outcome: AttemptOutcome): string {
  if (outcome.kind === 'waiting') return 'replaced';
  if (outcome.kind !== 'failed') return outcome.kind;
  if (isCancellation(outcome.failure)) return 'cancelled';
  return isExpiry(outcome.failure) ? 'expired' : 'failed';
}
