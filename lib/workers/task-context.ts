import { AsyncLocalStorage } from 'node:async_hooks';
import { inspect } from 'node:util';
import { Injectable } from '@nestjs/common';
import { parseDuration, type Duration } from '../duration.js';
import type { Headers } from '../engine/task.js';
import type { Interruption } from '../engine/interruption.js';
import type { Json } from '../engine/json.js';
import { LOG_LEVELS, type LogLevel } from '../engine/log-line.js';
import { ConfigurationError, InvalidArgumentsError } from '../errors.js';
import { readable, thrownText } from '../thrown-text.js';
import type { TransactionLike } from '../transactions/transaction-adapter.js';
import type { Signature } from '../workflows/signature.js';
import { toFailure } from './failure.js';
import { BecomeAnother, NoMoreAttempts, RunAgainLater } from './run-decisions.js';
import { PackageLogger } from '../package-logger.js';

/** One running attempt, as {@link TaskContext} shows it. */
export interface TaskRun {
  readonly id: string;
  readonly name: string;
  readonly queue: string;
  readonly attempt: number;
  readonly maxAttempts: number;
  readonly enqueuedAt: number;
  readonly headers: Headers;
  readonly interruption: Interruption;
  readonly deadline: Date | undefined;
  /** Of the run of a batch, the ids of its calls: what belongs to one call is not here. */
  readonly calls?: ReadonlySet<string>;
  /** Whether the attempt is over. Work that its method left behind may go on. */
  isOver?(): boolean;
  /** Called when the method has thrown, before the exception filters run: their time does not count against the timeout. */
  methodHasEnded?(): void;
  progress(value: unknown): Promise<void>;
  log(text: string, level: LogLevel): Promise<void>;
  completeIn(transaction: TransactionLike, result: unknown): Promise<void>;
}

/** What {@link TaskContext.logFields} returns: nothing outside of tasks. */
export interface TaskLogFields {
  /** The name of the task. */
  readonly task?: string;
  readonly taskId?: string;
  /** 1 for the first. */
  readonly attempt?: number;
}

/**
 * Gives the method of a task, and all code that it calls and awaits, access to the running task. Inject it into any
 * provider, also into one that lives as long as the application: each run sees its own task.
 *
 * In a method that takes batches, only `signal`, `deadline`, `name`, `queue` and `log` are there, and a line of the log is added to
 * the log of each call; the rest belongs to the calls.
 *
 * Outside of a run, the properties, `progress` and `log` throw an `Error`. A task that is called as an ordinary method
 * has no context, and neither has work that a task left behind without awaiting it.
 *
 * @example
 * ```ts
 * constructor(private readonly task: TaskContext) {}
 *
 * @Task({ timeout: '5m' })
 * async render(pages: number): Promise<void> {
 *   for (let page = 1; page <= pages; page++) {
 *     this.task.signal.throwIfAborted();
 *     await this.draw(page);
 *     await this.task.progress(page, pages);
 *   }
 * }
 * ```
 */
@Injectable()
export class TaskContext {
  readonly #storage = new AsyncLocalStorage<TaskRun>();
  #outside: TaskRun | undefined;

  /** The id of the task. It is the same in all attempts. */
  get id(): string {
    return this.#callRun('id').id;
  }

  /** The name of the task, for example `ReportTasks.build`. */
  get name(): string {
    return this.#run.name;
  }

  /** The queue from which the worker took the task. */
  get queue(): string {
    return this.#run.queue;
  }

  /** The number of this attempt, 1 for the first. */
  get attempt(): number {
    return this.#callRun('attempt').attempt;
  }

  /** The number of attempts that the task may take, the first included. */
  get maxAttempts(): number {
    return this.#callRun('maxAttempts').maxAttempts;
  }

  /** The time at which the task was enqueued. */
  get enqueuedAt(): Date {
    return new Date(this.#callRun('enqueuedAt').enqueuedAt);
  }

  /** The headers that the task was enqueued with. The tasks that this task enqueues get them too. */
  get headers(): Headers {
    return this.#callRun('headers').headers;
  }

  /**
   * A signal that is aborted when the run has to end early. Its `reason` is
   *
   * - a `TaskCancelledError` when a caller cancelled the task,
   * - a `TaskTimeoutError` when the attempt took longer than the task's `timeout`,
   * - a `WorkerClosingError` when the process closes and the time `shutdown.grace` is over,
   * - a `WorkerLostError` when the process lost its lock on the task, which may run elsewhere now.
   *
   * Pass the signal to `fetch` and similar functions, and call `signal.throwIfAborted()` in loops. A method that
   * ignores the signal is not stopped, but 250 ms after the abort its attempt ends without it.
   */
  get signal(): AbortSignal {
    return this.#run.interruption.signal;
  }

  /** The time at which this attempt reaches the task's `timeout`; `undefined` when the task has no `timeout`. */
  get deadline(): Date | undefined {
    return this.#run.deadline;
  }

  /**
   * Reports the progress of the task as `{ current, total, message }`. Watchers and the HTTP status show it. At most 20
   * reports a second are stored; the last one always is.
   *
   * @example await this.task.progress(page, pages, 'rendering')
   */
  progress(current: number, total: number, message?: string): Promise<void>;
  /**
   * Reports the progress of the task as any JSON value.
   *
   * @throws NotSerializableError when JSON cannot represent the value
   * @throws PayloadTooLargeError when its JSON is larger than the option `maxPayload`
   */
  progress(value: Json): Promise<void>;
  progress(value: Json, total?: number, message?: string): Promise<void> {
    const report = total === undefined ? value : { current: value, total, ...(message !== undefined && { message }) };
    return this.#withoutUnhandledRejection(this.#reportProgress(report), 'progress report');
  }

  /**
   * Adds a line to the log of the task, with the time. Administrators read it with `TaskAdmin.logs()`. The engine stores the log
   * together with the task and keeps its last lines, 1,000 unless the option `logs.keep` says otherwise. Later attempts add to it.
   *
   * @param line the text; beyond 10,000 characters it is cut
   * @param level how serious the line is: `debug`, `log`, `warn` or `error`; default `log`
   * @returns resolves once the line is stored. A method need not wait for it: the end of the task is stored after its lines
   * @throws InvalidArgumentsError when there is no such level
   * @example await this.task.log('The page has no title.', 'warn');
   */
  log(line: string, level: LogLevel = 'log'): Promise<void> {
    return this.#withoutUnhandledRejection(this.#writeLog(line, level), 'log line');
  }

  /**
   * Stores the success of the task in the transaction of its own writes: both are one commit. A worker that dies before it leaves
   * neither; after it, the task has succeeded and nothing runs again. Call it as the last statement before the commit, in a
   * transaction of the PostgreSQL database in which the tasks are.
   *
   * What the method returns or throws after the commit changes nothing; an error is logged. After a rollback the attempt goes on, and
   * this method may be called again. A transaction that stays open for longer than the option `abandonedAfter`, or whose attempt has
   * ended meanwhile, is refused at its commit.
   *
   * @param transaction what the library of the database calls its transaction; see {@link TransactionLike}
   * @param result the result of the task; default: none
   * @throws ConfigurationError when the transaction is none of that database
   * @throws NotSerializableError, PayloadTooLargeError when the result cannot be stored
   * @throws WorkerLostError when this attempt has ended, or a success is stored already
   * @example
   * await this.dataSource.transaction(async (manager) => {
   *   await manager.decrement(Account, { id }, 'balance', amount);
   *   await this.task.completeIn(manager, { paid: amount });
   * });
   */
  async completeIn(transaction: TransactionLike, result?: unknown): Promise<void> {
    await this.#run.completeIn(transaction, result);
  }

  /**
   * Ends this run and makes the task run again after the duration `in`, without using up an attempt. Use it when a
   * source is not ready yet, or when another service limits the rate of requests. It throws, so no code after it runs.
   *
   * @throws ConfigurationError when `in` is not a duration
   * @example if (response.status === 429) this.task.retry({ in: '30s' });
   */
  retry({ in: delay }: { in: Duration }): never {
    this.#refuseInBatch('retry');
    throw new RunAgainLater(parseDuration(delay, 'retry({ in })'));
  }

  /**
   * Ends the task as failed, even when attempts are left. The message is meant for callers, so the HTTP endpoint shows
   * it in production too. It throws, so no code after it runs.
   *
   * @param message the message of the failure, which callers find in `cause` of the `TaskFailedError`
   * @example this.task.fail('The card was declined.');
   */
  fail(message: string): never {
    this.#refuseInBatch('fail');
    // Plain JavaScript may pass an error, or anything else.
    throw new NoMoreAttempts(typeof message === 'string' ? message : toFailure(message).message);
  }

  /**
   * Ends this run and lets another task or workflow take its place. The task waits for it without using the concurrency
   * of the worker, and takes over its result. It throws, so no code after it runs.
   *
   * @param signature a task or a workflow with all its arguments; with anything else the task fails
   * @example this.task.replaceWith(group(pages.map((page) => this.reports.render.signature(page))));
   */
  replaceWith(signature: Signature<void>): never {
    this.#refuseInBatch('replaceWith');
    if (!isSignature(signature)) throw noSignature();
    throw new BecomeAnother(signature);
  }

  /**
   * Returns the name, the id and the attempt of the running task, as fields for the lines of a logger: `{ task, taskId, attempt }`.
   * Outside of a run, it returns an empty object instead of throwing an error. Nest's own logger gets them from `TaskLogger`.
   *
   * @example
   * LoggerModule.forRootAsync({
   *   inject: [TaskContext],
   *   useFactory: (task: TaskContext) => ({ pinoHttp: { mixin: () => task.logFields() } }),
   * })
   */
  logFields(): TaskLogFields {
    const run = this.current();
    return run ? { task: run.name, taskId: run.id, attempt: run.attempt } : {};
  }

  /**
   * The current run; `undefined` outside of a run.
   *
   * @internal
   */
  current(): TaskRun | undefined {
    return this.#storage.getStore();
  }

  /**
   * Calls `body` inside the run.
   *
   * @internal
   */
  run<T>(run: TaskRun, body: () => T): T {
    return this.#storage.run(run, body);
  }

  /**
   * Sets what code sees that runs outside of a task. By default, it gets an error.
   *
   * @internal
   */
  setOutside(run: TaskRun | undefined): void {
    this.#outside = run;
  }

  async #reportProgress(report: Json): Promise<void> {
    await this.#callRun('progress').progress(report);
  }

  async #writeLog(line: unknown, level: LogLevel): Promise<void> {
    if (!LOG_LEVELS.includes(level)) {
      throw new InvalidArgumentsError(
        `The level of a log line is ${JSON.stringify(level)}. Use one of: ${LOG_LEVELS.join(', ')}.`,
      );
    }
    await this.#run.log(typeof line === 'string' ? line : inspect(line), level);
  }

  /**
   * A method may report progress without awaiting it. A report that fails then ends no process; a caller that awaits it gets
   * the error.
   */
  #withoutUnhandledRejection(promise: Promise<void>, what: string): Promise<void> {
    const run = this.current() ?? this.#outside;
    const task = run ? `task ${run.name} (${run.id})` : 'code outside of a task';
    promise.catch((error: unknown) => {
      new PackageLogger().warn(`A ${what} of ${task} was not stored: ${thrownText(error)}`);
    });
    return promise;
  }

  /** The run, for what belongs to one call. */
  #callRun(member: string): TaskRun {
    this.#refuseInBatch(member);
    return this.#run;
  }

  #refuseInBatch(member: string): void {
    if (!this.current()?.calls) return;
    throw new Error(
      `TaskContext.${member} belongs to one call, and a batch of calls runs here. Read it from the calls that the method gets; TaskContext has signal and log.`,
    );
  }

  get #run(): TaskRun {
    const run = this.current() ?? this.#outside;
    if (run) return run;
    throw new Error(
      'No task is running here: TaskContext is valid only inside a task. A task that is called as an ordinary method, ' +
        'or work that a task left behind without awaiting it, has no context.',
    );
  }
}

/** Also one of another build of this package in the same process. */
function isSignature(value: unknown): boolean {
  return readable(() => typeof (value as Signature).plan === 'object') === true;
}

/** Another attempt would make the same mistake. */
function noSignature(): NoMoreAttempts {
  const error = new ConfigurationError(
    'replaceWith() takes a signature: producer.signature(…), or what chain(), group() and chord() return.',
  );
  return new NoMoreAttempts(error.message, { error });
}
