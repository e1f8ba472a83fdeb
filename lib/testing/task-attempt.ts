import { toJson, type Json } from '../engine/json.js';
import type { Delivery, DeliveryHandler } from '../engine/ports/worker-port.js';
import type { TaskFailure } from '../engine/task.js';
import type { RunOutcome } from '../workflows/run-outcome.js';
import type { EnqueuedTask } from './enqueued-task.js';

/** What happened in one attempt of a task. */
export interface TaskAttempt<R = unknown> {
  /**
   * How the attempt ended: as a worker would store it, or `replaced` when the method called `replaceWith()`. `retry` uses
   * up an attempt, `postponed` (`retry({ in })`) does not.
   */
  readonly outcome: 'succeeded' | 'failed' | 'retry' | 'postponed' | 'waiting' | 'replaced';
  /** The result, as it comes out of JSON; `undefined` unless the attempt succeeded. */
  readonly result: R | undefined;
  /** What was thrown; `undefined` when the attempt did not fail. */
  readonly error: (Error & { readonly code?: string }) | undefined;
  /** The progress reports, in order. */
  readonly progress: readonly Json[];
  /** The lines of the log, in order. */
  readonly logs: readonly string[];
  /** The tasks that the attempt enqueued, in order. */
  readonly enqueued: readonly EnqueuedTask[];
  /** Milliseconds until the next attempt; only of `retry` and `postponed`. */
  readonly delay?: number;
}

/** One attempt, and its outcome as the engine would store it. */
export interface AttemptWithOutcome<O extends RunOutcome = RunOutcome, R = unknown> {
  readonly attempt: TaskAttempt<R>;
  readonly outcome: O;
}

export interface AttemptDeps<O extends RunOutcome> {
  readonly handler: DeliveryHandler<O>;
  /** The tasks that the task of this id enqueued. */
  readonly enqueuedBy: (id: string) => readonly EnqueuedTask[];
  /** The error itself that led to a failure of this task with this message, if it is known. */
  readonly thrown: (name: string, message: string) => Error | undefined;
}

/** The delivery of a task that is stored nowhere. */
export function deliveryOf(
  { id, name, queue }: Pick<Delivery, 'id' | 'name' | 'queue'>,
  args: readonly unknown[],
  now: number,
): Omit<Delivery, 'interruption'> {
  return {
    id,
    name,
    queue,
    args: JSON.parse(JSON.stringify(toJson(args, 'args'))) as Json[],
    headers: {},
    options: {},
    attempt: 1,
    starts: 1,
    returns: 0,
    abandoned: 0,
    reruns: 0,
    enqueuedAt: now,
    root: id,
    memberCount: 0,
    members: async () => [],
    failedMember: async () => undefined,
    started: () => undefined,
    mark: () => undefined,
    markBefore: () => undefined,
    progress: async () => undefined,
    log: async () => undefined,
  };
}

/** Runs one attempt as a worker does, and tells what happened instead of storing it. */
export async function attempt<O extends RunOutcome, R>(
  delivery: Delivery,
  { handler, enqueuedBy, thrown }: AttemptDeps<O>,
): Promise<AttemptWithOutcome<O, R>> {
  const progress: Json[] = [];
  const logs: string[] = [];
  const outcome = await handler.handle({
    ...delivery,
    progress: async (value) => void progress.push(JSON.parse(JSON.stringify(value)) as Json),
    log: async (line) => void logs.push(line),
  });
  const known: RunOutcome = outcome;
  return {
    outcome,
    attempt: {
      outcome: known.kind,
      result: known.kind === 'succeeded' ? (JSON.parse(JSON.stringify(known.result ?? null)) as R) : undefined,
      error: 'failure' in known ? errorOf(known.failure, thrown(delivery.name, known.failure.message)) : undefined,
      progress,
      logs,
      enqueued: enqueuedBy(delivery.id),
      ...('delay' in known && { delay: known.delay }),
    },
  };
}

/** The error that was thrown, or one that has the name, message, code and stack of the failure. */
function errorOf({ name, message, code, stack }: TaskFailure, thrown: Error | undefined): Error {
  if (thrown?.name === name) return thrown;
  const details = { name, ...(code !== undefined && { code }), ...(stack !== undefined && { stack }) };
  return Object.assign(new Error(message), details);
}
