import { expiry, failureOf } from '../engine/failures.js';
import { Interruption } from '../engine/interruption.js';
import type { Json } from '../engine/json.js';
import type { Completion, Delivery, DeliveryHandler, Outcome } from '../engine/ports/worker-port.js';
import type { TaskFailure } from '../engine/task.js';
import { InvalidArgumentsError, TaskCancelledError, TaskTimeoutError, UnknownTaskError } from '../errors.js';
import type { TaskDefinition } from '../tasks/task-definition.js';
import type { RegisteredTask, TaskRegistry } from '../tasks/task-registry.js';
import { validateArguments } from '../tasks/validate-arguments.js';
import type { RunOutcome } from '../workflows/run-outcome.js';
import { BatchRunner, type BatchTask } from './batches/batch-runner.js';
import type { RunPlaces } from './batches/run-places.js';
import { lostAtMostOnce } from './error-to-outcome.js';
import { isIsolatedTask, type IsolatedRuns } from './isolated-runs.js';
import { openRun } from './open-run.js';
import { ProgressReporter } from './progress-reporter.js';
import { RunEnds } from './run-ends.js';
import { RunJournal } from './run-journal.js';
import { RunLog } from './run-log.js';
import { SlowRun } from './slow-run.js';
import type { TaskContext } from './task-context.js';
import { TimeLimit } from './time-limit.js';

/** A task of an unknown name is put back for 1 s, then for twice as long each time, up to 30 s. */
const UNKNOWN_FIRST_DELAY = 1_000;
const UNKNOWN_LONGEST_DELAY = 30_000;
/** The first pause of a task that another worker of the queue declares: it mostly takes the task next. */
const DECLARED_FIRST_DELAY = 100;
/** Its longest pause. It is short, because it is chance which of the workers takes the task next. */
const DECLARED_LONGEST_DELAY = 1_000;

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
  /** The places for runs in queues with batches. */
  readonly places: RunPlaces;
  /** Runs the tasks with the option `isolate`. Default: they run here as the others do. */
  readonly isolated?: IsolatedRuns | undefined;
  /**
   * This process is a child for isolated tasks: its parent kills it when a method goes on for too long after an abort, so the attempt
   * ends with its method, and the parent warns of slow runs. Default: no.
   */
  readonly isChild?: boolean;
  /** Default: lines go to the logger of this process. */
  readonly journal?: RunJournal;
}

/**
 * The last handler of a run: it finds the task, opens its context, limits its time, calls its method and gives the
 * outcome.
 */
export class TaskExecutor implements DeliveryHandler<RunOutcome> {
  private readonly journal: RunJournal;
  private readonly ends: RunEnds;
  private readonly batches: BatchRunner;
  private readonly closing = new Interruption();

  constructor(
    private readonly registry: TaskRegistry,
    private readonly context: TaskContext,
    private readonly options: ExecutorOptions,
  ) {
    this.journal = options.journal ?? new RunJournal();
    this.ends = new RunEnds(this.journal, options.maxPayload);
    this.batches = new BatchRunner({ ...options, context, ends: this.ends });
  }

  handle(delivery: Delivery): Promise<RunOutcome> {
    const { completion } = delivery;
    return completion ? this.handleWith(completion, delivery) : this.runOnce(delivery);
  }

  private async handleWith(completion: Completion, delivery: Delivery): Promise<RunOutcome> {
    if (completion.earlier) return { kind: 'succeeded', result: completion.earlier.result };
    const outcome = await this.runOnce(delivery);
    const completed = completion.isUsed ? await completion.settle() : undefined;
    if (!completed) return outcome;
    if (outcome.kind !== 'succeeded') this.journal.succeededAnyway(delivery);
    return { kind: 'succeeded', result: completed.result };
  }

  private async runOnce(delivery: Delivery): Promise<RunOutcome> {
    const task = this.registry.get(delivery.name);
    if (hasExpired(delivery, this.options.now))
      return this.journal.ended(delivery, { kind: 'failed', failure: expiry() });
    if (!task) return this.journal.ended(delivery, await this.handleUnknown(delivery));
    const args = argumentsOf(delivery, task.definition);
    if (!args) return this.journal.ended(delivery, { kind: 'failed', failure: noTask(delivery) });
    if (isLost(delivery, task.definition)) return this.journal.ended(delivery, { kind: 'failed', failure: lost() });
    if (isBatchTask(task)) return this.batches.handle(delivery, args, task);
    const { places } = this.options;
    if (!places.counts(delivery.queue)) return this.runTask(delivery, task, args);
    const place = await places.takeUnless([this.closing, delivery.interruption], delivery.queue);
    if (!place) return this.notRun(delivery, task.definition);
    try {
      return await this.runTask(delivery, task, args);
    } finally {
      place.giveBack();
    }
  }

  /** There was no place before the attempt was interrupted, or before the application closes. */
  private notRun(delivery: Delivery, definition: TaskDefinition): RunOutcome {
    if (this.closing.isRequested) return { kind: 'postponed', delay: 0 };
    const { reason } = delivery.interruption;
    return this.ends.threw({ delivery, definition, thrown: reason, interruption: reason });
  }

  private async runTask(delivery: Delivery, task: RegisteredTask, args: readonly Json[]): Promise<RunOutcome> {
    if (this.options.isolated && isIsolatedTask(task))
      return this.options.isolated.handle({ ...delivery, args }, task, this.ends);
    const limit = new TimeLimit(delivery.interruption, delivery.options.timeout ?? task.definition.timeout, {
      onListenerError: (error) => this.journal.listenerThrew(delivery, error),
      ...(this.options.isChild
        ? { abortGrace: Infinity }
        : { onLate: (taken: number, timeout: number) => this.journal.timedOutLate(delivery, taken, timeout) }),
    });
    const progress = new ProgressReporter(delivery.progress, this.options.progressInterval);
    const log = new RunLog(delivery.log);
    const slow = this.watchSlow(delivery, task);
    try {
      // Awaited also without a schema: what a guard enters by `AsyncLocalStorage.enterWith()` then stays in this run.
      const checked = await this.validate(args, task, limit);
      const run = openRun(delivery, task.definition, {
        limit,
        log,
        progress: (value) => progress.report(this.ends.checked(value, 'progress', 'The progress report')),
        checkedResult: (value) => this.ends.checked(value, 'result', 'The result'),
      });
      delivery.started();
      const returned = await limit.race(
        () => task.invoker.invoke(checked),
        (body) => this.context.run(run, body),
      );
      limit.checkTime();
      // What the store does with a report is no end of the task. A method that awaits its reports hears of it.
      if (!progress.isUnused)
        await progress.flush().catch((error: unknown) => this.journal.reportRefused(delivery, error));
      if (!log.isIdle) await log.flush();
      const { reason } = limit;
      if (reason instanceof TaskCancelledError || reason instanceof TaskTimeoutError) throw reason;
      return this.ends.returned(delivery, returned, task.definition);
    } catch (thrown) {
      limit.checkTime();
      await progress.flush().catch(() => undefined);
      await log.flush();
      return this.ends.threw({ delivery, definition: task.definition, thrown, interruption: limit.reason });
    } finally {
      log.close();
      progress.close();
      limit.clear();
      slow?.end();
    }
  }

  /** Gives back what waits for a batch or a place: the application closes. */
  close(): void {
    this.closing.request(undefined);
    this.batches.close();
  }

  /** A schema may wait for something, so it can be interrupted as a method can. */
  private validate(
    args: readonly unknown[],
    { definition }: RegisteredTask,
    limit: TimeLimit,
  ): Promise<readonly unknown[]> | readonly unknown[] {
    if (!definition.schema) return args;
    return limit.race(
      () => validateArguments(definition, args),
      (body) => body(),
    );
  }

  private watchSlow(delivery: Delivery, { definition: { slow } }: RegisteredTask): SlowRun | undefined {
    if (slow === undefined || this.options.isChild) return undefined;
    return new SlowRun(slow, (taken) => this.journal.slow(delivery, taken, slow));
  }

  /**
   * Puts back a task that this process does not declare, for ever longer: a newer worker may declare it, because a deploy may be
   * under way. As long as a worker of the queue declares it, it is put back however often this process has taken it.
   */
  private async handleUnknown(delivery: Delivery): Promise<Outcome> {
    const { name, queue, returns } = delivery;
    const isDeclared = await this.options.isDeclaredElsewhere(queue, name);
    if (isDeclared || returns < this.options.unknownTaskReturns) {
      const [first, longest] = isDeclared
        ? [DECLARED_FIRST_DELAY, DECLARED_LONGEST_DELAY]
        : [UNKNOWN_FIRST_DELAY, UNKNOWN_LONGEST_DELAY];
      const delay = Math.min(first * 2 ** returns, longest);
      this.journal.unknown(delivery, delay);
      return { kind: 'postponed', delay };
    }
    const error = new UnknownTaskError(
      this.options.isChild
        ? `The child process for isolated tasks does not declare the task "${name}", because its parent has loaded the module of the task later. Import it in the module that isolation.app names.`
        : `No process that runs the queue "${queue}" declares the task "${name}". Declare it with @Task('${name}'), or check the name where it is enqueued.`,
    );
    return { kind: 'failed', failure: failureOf(error) };
  }
}

/** A task that has started once never expires, and neither does one that a caller has run again. */
function hasExpired({ options: { expiresAt }, starts, reruns }: Delivery, now: () => number): boolean {
  return starts <= 1 && !(reruns > 0) && expiresAt !== undefined && expiresAt <= now();
}

/** Whether a task that runs at most once has run in a process that did not tell its end. */
function isLost({ abandoned }: Delivery, { delivery }: TaskDefinition): boolean {
  return delivery === 'at-most-once' && abandoned > 0;
}

function lost(): TaskFailure {
  return lostAtMostOnce('The process that ran the task died or lost its connection.');
}

/** `undefined` when the job was not enqueued as a task, and the task does not accept other jobs. */
function argumentsOf(delivery: Delivery, { acceptsJobs }: TaskDefinition): readonly Json[] | undefined {
  return acceptsJobs && delivery.data !== undefined ? [delivery.data] : delivery.args;
}

/** The failure of a job that a foreign client stored, or something changed. */
function noTask({ name }: Delivery): TaskFailure {
  return failureOf(
    new InvalidArgumentsError(
      `The job "${name}" was not enqueued as a task: its data must have the form { "args": [...], "headers": { ... } }, with args a list. A task with accepts: 'job' runs it.`,
    ),
  );
}

function isBatchTask(task: RegisteredTask): task is BatchTask {
  return task.definition.batch !== undefined;
}
