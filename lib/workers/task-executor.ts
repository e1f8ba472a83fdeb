import { Logger } from '@nestjs/common';
import type { Delivery, Outcome, TaskFailure } from '../engine/engine.js';
import { sizeBeyond, toJson, type Json } from '../engine/json.js';
import {
  InvalidArgumentsError,
  PayloadTooLargeError,
  TaskCancelledError,
  TaskExpiredError,
  TaskTimeoutError,
  UnknownTaskError,
  WorkerClosingError,
  WorkerLostError,
} from '../errors.js';
import type { RunOutcome } from '../workflows/workflow-runner.js';
import type { TaskDefinition } from '../tasks/task-definition.js';
import type { RegisteredTask, TaskRegistry } from '../tasks/task-registry.js';
import { validateArguments } from '../tasks/validate-arguments.js';
import { RefusedCall } from './enhancers/refused-call.js';
import { toFailure } from './failure.js';
import { ProgressReporter } from './progress-reporter.js';
import { retryDelay } from './retry-policy.js';
import { BecomeAnother, NoMoreAttempts, RunAgainLater, type TaskContext, type TaskRun } from './task-context.js';
import { TimeLimit } from './time-limit.js';

/** A task nobody here knows is put back: after 1 s, then ever later, up to 30 s. */
const UNKNOWN_FIRST_DELAY = 1_000;
const UNKNOWN_LONGEST_DELAY = 30_000;

export interface ExecutorOptions {
  /** Bytes of JSON of a result or a progress report. */
  readonly maxPayload: number;
  /** How often a task of a name unknown here is put back before it fails; 12 times take about five minutes. */
  readonly unknownTaskReturns: number;
}

/** Runs one delivery: finds the task, opens its context, limits its time, calls it and says how it ended. */
export class TaskExecutor {
  private readonly logger = new Logger('TaskQueue');

  constructor(
    private readonly registry: TaskRegistry,
    private readonly context: TaskContext,
    private readonly options: ExecutorOptions,
  ) {}

  /** Never rejects: whatever goes wrong is an outcome. */
  async run(delivery: Delivery): Promise<RunOutcome> {
    const task = this.registry.get(delivery.name);
    if (!task) return this.unknown(delivery);
    const refusal = refuse(delivery, task.definition);
    if (refusal) return this.failed(delivery, toFailure(refusal));
    const limit = new TimeLimit(delivery.interruption, delivery.options.timeout ?? task.definition.timeout);
    const progress = new ProgressReporter(delivery.progress);
    try {
      // Awaited also without a schema: what a guard enters by `AsyncLocalStorage.enterWith()` then stays in this run.
      const args = await validateArguments(task.definition, delivery.args ?? []);
      const run = this.open(delivery, task, limit, progress);
      const returned = await limit.race(
        () => task.call(args),
        (body) => this.context.run(run, body),
      );
      if (!progress.isUnused) await progress.flush();
      return this.returned(returned, delivery, task.definition, limit);
    } catch (error) {
      await progress.flush().catch(() => undefined);
      return this.threw(error, delivery, task.definition, limit);
    } finally {
      limit.clear();
    }
  }

  private open(
    delivery: Delivery,
    { definition }: RegisteredTask,
    limit: TimeLimit,
    progress: ProgressReporter,
  ): TaskRun {
    const { id, name, queue, attempt, enqueuedAt, headers, log } = delivery;
    return {
      id,
      name,
      queue,
      attempt,
      enqueuedAt,
      headers,
      log,
      maxAttempts: attemptsOf(delivery, definition),
      interruption: limit.interruption,
      deadline: limit.deadline,
      progress: (value) => progress.report(this.checked(value, 'progress', 'The progress report')),
    };
  }

  private returned(value: unknown, delivery: Delivery, { ignoreResult }: TaskDefinition, limit: TimeLimit): Outcome {
    const { reason } = limit;
    if (reason instanceof TaskCancelledError || reason instanceof TaskTimeoutError) throw reason;
    if (ignoreResult || value === undefined) return { kind: 'succeeded', result: undefined };
    try {
      return { kind: 'succeeded', result: this.checked(value, 'result', 'The result') };
    } catch (error) {
      // Another attempt would do its work again only to return the same.
      return this.failed(delivery, toFailure(error));
    }
  }

  private threw(error: unknown, delivery: Delivery, definition: TaskDefinition, limit: TimeLimit): RunOutcome {
    const { reason } = limit;
    if (reason instanceof WorkerLostError) return { kind: 'postponed', delay: 0 };
    if (reason instanceof WorkerClosingError) {
      if (definition.delivery === 'at-least-once') return { kind: 'postponed', delay: 0 };
      return this.failed(delivery, toFailure(lostAtMostOnce('The process that ran the task closed before it ended.')));
    }
    if (reason instanceof TaskCancelledError)
      return { kind: 'failed', failure: { ...toFailure(reason), exposable: true } };
    if (error instanceof BecomeAnother) return { kind: 'replaced', plan: error.signature.plan };
    if (error instanceof RunAgainLater) return { kind: 'postponed', delay: error.delay };
    const thrown = reason instanceof TaskTimeoutError ? reason : error;
    const cause = thrown instanceof RefusedCall ? thrown.cause : thrown;
    const failure = { ...toFailure(cause), ...(cause instanceof NoMoreAttempts && { exposable: true }) };
    if (delivery.attempt >= attemptsOf(delivery, definition) || isHopeless(thrown) || !definition.mayRetry(cause)) {
      return this.failed(delivery, failure);
    }
    const delay = retryDelay(delivery.options.backoff ?? definition.backoff, delivery.attempt);
    this.logger.warn(
      `${describe(delivery)} failed in attempt ${delivery.attempt}, next in ${delay} ms: ${failure.message}`,
    );
    return { kind: 'retry', failure, delay };
  }

  private failed(delivery: Delivery, failure: TaskFailure): Outcome {
    // What was written for callers is their mistake more often than ours, and needs no stack.
    if (failure.exposable) this.logger.warn(`${describe(delivery)} failed: ${failure.message}`);
    else this.logger.error(`${describe(delivery)} failed: ${failure.message}`, failure.stack);
    return { kind: 'failed', failure };
  }

  /** Perhaps a newer worker knows it: a deploy may be under way. */
  private unknown(delivery: Delivery): Outcome {
    const returns = delivery.starts - delivery.attempt;
    if (returns < this.options.unknownTaskReturns) {
      const delay = Math.min(UNKNOWN_FIRST_DELAY * 2 ** returns, UNKNOWN_LONGEST_DELAY);
      this.logger.warn(`${describe(delivery)} is declared by no provider of this process; put back for ${delay} ms.`);
      return { kind: 'postponed', delay };
    }
    const error = new UnknownTaskError(
      `No process that runs the queue "${delivery.queue}" declares the task "${delivery.name}". Declare it with @Task('${delivery.name}'), or check the name where it is enqueued.`,
    );
    return this.failed(delivery, toFailure(error));
  }

  private checked(value: unknown, path: string, what: string): Json {
    const json = toJson(value, path);
    const size = sizeBeyond(json, this.options.maxPayload);
    if (size !== undefined) throw new PayloadTooLargeError(what, size, this.options.maxPayload);
    return json;
  }
}

/** Why a delivery is not run at all. */
function refuse({ name, args, options, abandoned }: Delivery, { delivery }: TaskDefinition): Error | undefined {
  if (!args) {
    return new InvalidArgumentsError(
      `The job "${name}" was not enqueued as a task: its data must have the form { "args": [...], "headers": { ... } }, with args a list.`,
    );
  }
  if (options.expiresAt !== undefined && options.expiresAt <= Date.now()) {
    return new TaskExpiredError('The task was not started before its expiry time.');
  }
  if (delivery === 'at-most-once' && abandoned > 0) {
    return lostAtMostOnce('The process that ran the task died or lost its connection.');
  }
  return undefined;
}

function lostAtMostOnce(what: string): WorkerLostError {
  return new WorkerLostError(`${what} It is not run again, for its delivery is at-most-once.`);
}

/** Another attempt would end the same, whatever the task's options say. */
function isHopeless(error: unknown): boolean {
  return error instanceof NoMoreAttempts || error instanceof InvalidArgumentsError || error instanceof RefusedCall;
}

function attemptsOf(delivery: Delivery, definition: TaskDefinition): number {
  return delivery.options.attempts ?? definition.retries + 1;
}

function describe({ name, id }: Delivery): string {
  return `Task ${name} (${id})`;
}
