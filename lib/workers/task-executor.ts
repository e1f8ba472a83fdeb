import { Logger } from '@nestjs/common';
import { expiry, failureOf, isCancellation, isExpiry } from '../engine/failures.js';
import { sizeBeyond, toJson, type Json } from '../engine/json.js';
import type { Delivery, DeliveryHandler, Outcome } from '../engine/ports/worker-port.js';
import type { TaskFailure } from '../engine/task.js';
import {
  InvalidArgumentsError,
  PayloadTooLargeError,
  TaskCancelledError,
  TaskTimeoutError,
  UnknownTaskError,
} from '../errors.js';
import type { TaskDefinition } from '../tasks/task-definition.js';
import type { RegisteredTask, TaskRegistry } from '../tasks/task-registry.js';
import { validateArguments } from '../tasks/validate-arguments.js';
import type { RunOutcome } from '../workflows/run-outcome.js';
import { attemptsOf, lostAtMostOnce, outcomeOfError, type FailedRun } from './error-to-outcome.js';
import { toFailure } from './failure.js';
import { ProgressReporter } from './progress-reporter.js';
import { SlowRun } from './slow-run.js';
import type { TaskContext, TaskRun } from './task-context.js';
import { RunLog } from './run-log.js';
import { TimeLimit } from './time-limit.js';

/** A task of an unknown name is put back for 1 s, then for twice as long each time, up to 30 s. */
const UNKNOWN_FIRST_DELAY = 1_000;
const UNKNOWN_LONGEST_DELAY = 30_000;
/** The first pause of a task that another worker of the queue declares: it mostly takes the task next. */
const DECLARED_FIRST_DELAY = 100;
/** Its longest pause. It is short, because it is chance which of the workers takes the task next. */
const DECLARED_LONGEST_DELAY = 1_000;
/** Milliseconds after which another task of the same unknown name is logged. */
const REPEAT_AFTER = 60_000;

export interface ExecutorOptions {
  /** Bytes of JSON of a result or a progress report. */
  readonly maxPayload: number;
  /** How often a task of an unknown name is put back before it fails; 12 times take about five minutes. */
  readonly unknownTaskReturns: number;
  /** Milliseconds between two stored progress reports. Default: 50. */
  readonly progressInterval?: number | undefined;
  /** Whether another worker of the queue declares the task. */
  readonly isDeclaredElsewhere: (queue: string, task: string) => Promise<boolean>;
  /** The time by which tasks expire. */
  readonly now: () => number;
}

/**
 * The last handler of a run: it finds the task, opens its context, limits its time, calls its method and gives the
 * outcome.
 */
export class TaskExecutor implements DeliveryHandler<RunOutcome> {
  private readonly logger = new Logger('TaskQueue');
  /** The time at which a task of an unknown name was logged last, by its name. */
  private readonly unknownLoggedAt = new Map<string, number>();

  constructor(
    private readonly registry: TaskRegistry,
    private readonly context: TaskContext,
    private readonly options: ExecutorOptions,
  ) {}

  async handle(delivery: Delivery): Promise<RunOutcome> {
    if (!delivery.args) return this.logged(delivery, { kind: 'failed', failure: noTask(delivery) });
    const task = this.registry.get(delivery.name);
    if (!task) return this.logged(delivery, await this.handleUnknown(delivery));
    const refusal = reasonNotToRun(delivery, task.definition, this.options.now);
    if (refusal) return this.logged(delivery, { kind: 'failed', failure: refusal });
    const limit = new TimeLimit(delivery.interruption, delivery.options.timeout ?? task.definition.timeout, {
      onListenerError: (error) => this.logListenerError(delivery, error),
      onLate: (taken, timeout) => this.logLateTimeout(delivery, taken, timeout),
    });
    const progress = new ProgressReporter(delivery.progress, this.options.progressInterval);
    const log = new RunLog(delivery.log);
    const slow = this.watchSlow(delivery, task);
    try {
      // Awaited also without a schema: what a guard enters by `AsyncLocalStorage.enterWith()` then stays in this run.
      const args = await validateArguments(task.definition, delivery.args);
      const run = this.openRun(delivery, task, { limit, progress, log });
      delivery.started();
      const returned = await limit.race(
        () => task.invoker.invoke(args),
        (body) => this.context.run(run, body),
      );
      limit.checkTime();
      if (!progress.isUnused) await progress.flush();
      if (!log.isIdle) await log.flush();
      const { reason } = limit;
      if (reason instanceof TaskCancelledError || reason instanceof TaskTimeoutError) throw reason;
      return this.logged(delivery, this.succeed(returned, task.definition));
    } catch (thrown) {
      limit.checkTime();
      await progress.flush().catch(() => undefined);
      await log.flush();
      const onPredicateError = (error: unknown) => this.logPredicateError(delivery, error);
      const run = { delivery, definition: task.definition, thrown, interruption: limit.reason, onPredicateError };
      return this.logged(delivery, this.classify(run));
    } finally {
      log.close();
      progress.close();
      limit.clear();
      slow?.end();
    }
  }

  private watchSlow(delivery: Delivery, { definition: { slow } }: RegisteredTask): SlowRun | undefined {
    if (slow === undefined) return undefined;
    return new SlowRun(slow, (taken) =>
      this.log(
        'warn',
        `${describe(delivery)} is slow: attempt ${delivery.attempt} has taken ${taken} ms so far (slow: ${slow} ms).`,
      ),
    );
  }

  /** Whatever a thrown value does when it is looked at, the run has an outcome. */
  private classify(run: FailedRun): RunOutcome {
    try {
      return outcomeOfError(run);
    } catch (error) {
      return { kind: 'failed', failure: toFailure(error) };
    }
  }

  private openRun(
    delivery: Delivery,
    { definition }: RegisteredTask,
    { limit, progress, log }: { limit: TimeLimit; progress: ProgressReporter; log: RunLog },
  ): TaskRun {
    const { id, name, queue, attempt, enqueuedAt, headers } = delivery;
    return {
      id,
      name,
      queue,
      attempt,
      enqueuedAt,
      headers,
      log: log.write,
      maxAttempts: attemptsOf(delivery, definition),
      interruption: limit.interruption,
      deadline: limit.deadline,
      progress: (value) => progress.report(this.checked(value, 'progress', 'The progress report')),
    };
  }

  private succeed(value: unknown, { ignoreResult }: TaskDefinition): Outcome {
    if (ignoreResult || value === undefined) return { kind: 'succeeded', result: undefined };
    try {
      return { kind: 'succeeded', result: this.checked(value, 'result', 'The result') };
    } catch (error) {
      // Another attempt would do its work again only to return the same value.
      return { kind: 'failed', failure: toFailure(error) };
    }
  }

  /**
   * Puts back a task that this process does not declare, for ever longer: a newer worker may declare it, because a deploy may be
   * under way. As long as a worker of the queue declares it, it is put back however often this process has taken it.
   */
  private async handleUnknown(delivery: Delivery): Promise<Outcome> {
    const { name, queue } = delivery;
    const returns = delivery.starts - delivery.attempt;
    const isDeclared = await this.options.isDeclaredElsewhere(queue, name);
    if (isDeclared || returns < this.options.unknownTaskReturns) {
      const [first, longest] = isDeclared
        ? [DECLARED_FIRST_DELAY, DECLARED_LONGEST_DELAY]
        : [UNKNOWN_FIRST_DELAY, UNKNOWN_LONGEST_DELAY];
      const delay = Math.min(first * 2 ** returns, longest);
      this.logUnknown(delivery, delay);
      return { kind: 'postponed', delay };
    }
    const error = new UnknownTaskError(
      `No process that runs the queue "${queue}" declares the task "${name}". Declare it with @Task('${name}'), or check the name where it is enqueued.`,
    );
    return { kind: 'failed', failure: failureOf(error) };
  }

  /** Logs the first task of each name, and then one a minute: other applications may enqueue many. */
  private logUnknown(delivery: Delivery, delay: number): void {
    const now = performance.now();
    for (const [name, at] of this.unknownLoggedAt) if (at + REPEAT_AFTER <= now) this.unknownLoggedAt.delete(name);
    if (this.unknownLoggedAt.has(delivery.name)) return;
    this.unknownLoggedAt.set(delivery.name, now);
    this.log(
      'warn',
      `No provider of this process declares ${describe(delivery)}; it is put back for ${delay} ms. Further tasks of this name are logged once a minute.`,
    );
  }

  private logged(delivery: Delivery, outcome: RunOutcome): RunOutcome {
    if (outcome.kind === 'retry') {
      const { failure, delay } = outcome;
      this.log(
        'warn',
        `${describe(delivery)} failed in attempt ${delivery.attempt}, next in ${delay} ms: ${failure.message}`,
      );
    } else if (outcome.kind === 'failed') {
      this.logEnd(delivery, outcome.failure);
    }
    return outcome;
  }

  /** One line for each end without success. Its level says who caused it: a caller, the circumstances, or the task. */
  private logEnd(delivery: Delivery, failure: TaskFailure): void {
    const { message, stack } = failure;
    if (isCancellation(failure)) this.log('log', `${describe(delivery)} was cancelled: ${message}`);
    else if (isExpiry(failure)) this.log('warn', `${describe(delivery)} expired: ${message}`);
    // An error that was written for callers is more often their mistake than the application's, and needs no stack.
    else if (failure.exposable) this.log('warn', `${describe(delivery)} failed: ${message}`);
    else this.log('error', `${describe(delivery)} failed: ${message}`, stack);
  }

  private logPredicateError({ name, id }: Delivery, error: unknown): void {
    const { message, stack } = toFailure(error);
    this.log(
      'error',
      `retryOn or giveUpOn of task ${name} threw (${message}), so task ${id} is retried as if it allowed that. A predicate has to handle every error.`,
      stack,
    );
  }

  private logListenerError(delivery: Delivery, error: unknown): void {
    const { message, stack } = toFailure(error);
    this.log('error', `A listener on the signal of ${describe(delivery)} threw: ${message}`, stack);
  }

  /** The code that blocked the event loop may be another task of this process. */
  private logLateTimeout(delivery: Delivery, taken: number, timeout: number): void {
    this.log(
      'warn',
      `${describe(delivery)} ends after ${taken} ms because of its timeout of ${timeout} ms: code that computed without a pause blocked ` +
        'the event loop, and no timeout can stop such code inside its process. Let the method await between its steps, or give ' +
        'the computation isolation: a worker thread or a process of its own.',
    );
  }

  /** A logger of the application that throws changes no outcome. */
  private log(level: 'log' | 'warn' | 'error', message: string, stack?: string): void {
    try {
      if (level === 'error') this.logger.error(message, stack);
      else this.logger[level](message);
    } catch {
      // There is no other place to report it to.
    }
  }

  private checked(value: unknown, path: string, what: string): Json {
    const json = toJson(value, path);
    const size = sizeBeyond(json, this.options.maxPayload);
    if (size !== undefined) throw new PayloadTooLargeError(what, size, this.options.maxPayload);
    return json;
  }
}

/** Why a delivery must not be run at all; `undefined` when it may. A task that has started once never expires. */
function reasonNotToRun(
  { options, abandoned, starts }: Delivery,
  { delivery }: TaskDefinition,
  now: () => number,
): TaskFailure | undefined {
  if (starts <= 1 && options.expiresAt !== undefined && options.expiresAt <= now()) return expiry();
  if (delivery === 'at-most-once' && abandoned > 0) {
    return lostAtMostOnce('The process that ran the task died or lost its connection.');
  }
  return undefined;
}

/** The failure of a job that a foreign client stored, or something changed. */
function noTask({ name }: Delivery): TaskFailure {
  return failureOf(
    new InvalidArgumentsError(
      `The job "${name}" was not enqueued as a task: its data must have the form { "args": [...], "headers": { ... } }, with args a list.`,
    ),
  );
}

function describe({ name, id }: Delivery): string {
  return `Task ${name} (${id})`;
}
