import type { DynamicModule, OnApplicationBootstrap, OnModuleDestroy, Type } from '@nestjs/common';
import { Module } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { parseDuration, type Duration } from '../duration.js';
import { InstrumentedEnqueue } from '../engine/instrumented-enqueue.js';
import type { HeldCalls } from '../engine/held-calls.js';
import type { MemoryEngine } from '../engine/memory/memory-engine.js';
import type { StoredTask } from '../engine/memory/stored-task.js';
import type { Interruption } from '../engine/interruption.js';
import { newTaskId } from '../engine/task-id.js';
import type { Outcome } from '../engine/ports/worker-port.js';
import { GROUP_TASK, isDutyTask } from '../engine/workflow-note.js';
import { ConfigurationError, TaskNotFoundError, UnknownTaskError } from '../errors.js';
import { TaskEvents } from '../events/task-events.js';
import type { JsonOf } from '../producers/json-types.js';
import type { ArgumentsOf, ResultOfTask } from '../producers/signature-types.js';
import { TaskQueue } from '../producers/task-queue.js';
import type { ProducerOf } from '../producers/tasks.js';
import type { TaskHandle } from '../results/task-handle.js';
import { ENGINE } from '../task-queue-tokens.js';
import { DeclaredSchedules } from '../schedules/declared-schedules.js';
import { ScheduleBook } from '../schedules/schedule-book.js';
import { TaskQueueLifecycle } from '../task-queue.lifecycle.js';
import { isContract, type TaskContract, type TaskFunction } from '../tasks/task-contract.js';
import { TaskRegistry } from '../tasks/task-registry.js';
import { TESTING_SLOT, TestingSlotModule } from '../testing-slot.module.js';
import { TaskContext } from '../workers/task-context.js';
import { TaskExecutor } from '../workers/task-executor.js';
import { BulkRunner } from '../admin/bulk/bulk-runner.js';
import { WorkflowRunner } from '../workflows/workflow-runner.js';
import { describe, isExpected, missingTask, unexpectedTasks, type ExpectedTask } from './differences.js';
import { drainResult, throwFirst, type DrainResult } from './drain-result.js';
import { toEnqueuedTask, type EnqueuedTask } from './enqueued-task.js';
import { fakeProducers, type FakeProducers } from './fake-producers.js';
import { CHAIN_LIMIT, Kit, type TaskTestingMode } from './kit.js';
import { outsideRun, type OutsideRun } from './outside-run.js';
import { ScheduleTicks } from './schedule-ticks.js';
import { attempt, deliveryOf, type AttemptDeps, type TaskAttempt } from './task-attempt.js';
import { TaskDriver } from './task-driver.js';
import type { ExpectedArguments, TaskClass, TaskFunctionOf, TaskMethodOf } from './task-source.js';

export interface TaskTestingOptions {
  /** Default: `manual`. */
  readonly mode?: TaskTestingMode;
  /**
   * Whether `TaskContext` also works outside of tasks, so that a test may call a task's method as any other. Progress and
   * log lines are dropped there. Default: `false`, it throws as in production.
   */
  readonly lenient?: boolean;
  /**
   * `hold`: what `.in(tx)` enqueues is stored when the test calls {@link TaskTesting.commit}, and dropped when it calls
   * {@link TaskTesting.rollback}. Default: it is stored at once, because no database takes part.
   */
  readonly transactions?: 'hold';
}

/** A call of a task for `TaskTesting.replay()`. */
export interface ReplayedTask {
  /** The name of the task: `ReportTasks.build`. */
  readonly name: string;
  readonly args: readonly unknown[];
  /** Default: none. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The number of the attempt. Default: 1. */
  readonly attempt?: number;
}

export interface TaskTestingDeps {
  readonly moduleRef: ModuleRef;
  readonly engine: MemoryEngine;
  readonly context: TaskContext;
  readonly kit: Kit;
}

/** What {@link TaskTesting.configure} needs of the builder that `Test.createTestingModule()` of Nest returns. */
export interface OverridesModules {
  overrideModule(module: Type): { useModule(module: DynamicModule): unknown };
}

/** The most ticks of schedules in one `drain()`: more are probably a mistake in the duration. */
const MOST_TICKS = 10_000;
const MODES: ReadonlySet<TaskTestingMode> = new Set(['manual', 'inline', 'workers']);

/**
 * Runs and looks at the tasks of an application under test, in memory. {@link TaskTesting.configure} adds it to a testing
 * module.
 *
 * @example
 * const moduleRef = await TaskTesting.configure(Test.createTestingModule({ imports: [AppModule] })).compile();
 * const tasks = moduleRef.get(TaskTesting);
 *
 * await moduleRef.get(SignUp).signUp('ann@example.com');
 * tasks.expectEnqueued(MailTasks, 'welcome', ['ann@example.com']);
 * await tasks.drain();
 */
export class TaskTesting implements OnApplicationBootstrap, OnModuleDestroy {
  readonly #deps: TaskTestingDeps;
  readonly #driver: TaskDriver;
  #knownTicks: ScheduleTicks | undefined;

  /** @internal */
  constructor(deps: TaskTestingDeps) {
    const { engine, context, kit } = deps;
    this.#deps = deps;
    this.#driver = kit.driver = new TaskDriver({
      engine,
      handler: () => this.#get(BulkRunner),
      load: () => this.#load(),
      events: () => this.#get(TaskEvents),
      batchSizeOf: (queue) => this.#get(TaskRegistry).batchSizeOf(queue),
      caller: () => context.current()?.id,
    });
  }

  /**
   * Makes the application of a testing module run its tasks in memory, under the control of the test. All options of
   * `TaskQueueModule` stay as they are, except for the connection and the role. Call it before `compile()`.
   *
   * @returns the same builder
   */
  static configure<B extends OverridesModules>(builder: B, options: TaskTestingOptions = {}): B {
    const { mode = 'manual', lenient = false, transactions } = options;
    if (!MODES.has(mode)) {
      throw new ConfigurationError(`mode is ${JSON.stringify(mode)}. Use 'manual', 'inline' or 'workers'.`);
    }
    if (transactions !== undefined && transactions !== 'hold') {
      throw new ConfigurationError(`transactions is ${JSON.stringify(transactions)}. Use 'hold', or leave it out.`);
    }
    const kit = new Kit(mode, transactions === 'hold');
    @Module({})
    class TaskTestingModule {}
    builder.overrideModule(TestingSlotModule).useModule({
      module: TaskTestingModule,
      providers: [
        { provide: TESTING_SLOT, useValue: kit.slot() },
        {
          provide: TaskTesting,
          inject: [ModuleRef, ENGINE, TaskContext],
          useFactory: (moduleRef: ModuleRef, engine: MemoryEngine, context: TaskContext) => {
            if (lenient) context.setOutside(outsideRun({}));
            return new TaskTesting({ moduleRef, engine, context, kit });
          },
        },
      ],
      exports: [TESTING_SLOT, TaskTesting],
    });
    return builder;
  }

  /**
   * Producers for the unit test of a class that enqueues, without a module. They check and store calls as any producer,
   * and nothing runs. Each has a property `enqueued` with the tasks that were enqueued.
   *
   * @example
   * const reports = TaskTesting.producers(ReportTasks);
   * await new ReportController(reports).create('2026-11');
   * expect(reports.build.enqueued).toMatchObject([{ args: ['2026-11'] }]);
   */
  static producers<T>(source: TaskClass<T>): FakeProducers<T>;
  static producers<F extends TaskFunction>(
    source: TaskContract<F>,
  ): ProducerOf<F> & { readonly enqueued: EnqueuedTask[] };
  static producers(source: TaskClass<unknown> | TaskContract): unknown {
    return fakeProducers(source as Type | TaskContract);
  }

  /**
   * The tasks that wait, in the order in which they were enqueued: in their queues, for their time, or for other tasks.
   * In the modes `inline` and `workers`, where tasks run by themselves, also those that run or have ended.
   */
  enqueued(): EnqueuedTask[];
  /** Those of one task. */
  enqueued<T, M extends TaskMethodOf<T>>(
    source: TaskClass<T>,
    method: M,
  ): EnqueuedTask<JsonOf<Parameters<TaskFunctionOf<T, M>>>>[];
  /** Those of a class. */
  enqueued<T>(source: TaskClass<T>): EnqueuedTask[];
  /** Those of a contract. */
  enqueued<F extends TaskFunction>(source: TaskContract<F>): EnqueuedTask<JsonOf<Parameters<F>>>[];
  enqueued(source?: TaskClass<unknown> | TaskContract, method?: string): EnqueuedTask[] {
    const names = source && new Set(this.#namesOf(source, method));
    const now = this.#deps.engine.now();
    return [...this.#deps.engine.place.store.all()]
      .filter(({ name }) => name !== GROUP_TASK && !isDutyTask(name))
      .filter((task) => this.#deps.kit.mode !== 'manual' || waits(task))
      .filter(({ name }) => !names || names.has(name))
      .map((task) => toEnqueuedTask(task, now));
  }

  /**
   * Checks that a task is enqueued, with these arguments unless they are left out. Matchers such as `expect.any(String)`
   * may stand for arguments, also deep inside them.
   *
   * @returns the task, the last one of several
   * @throws Error with what is enqueued instead, the nearest first
   */
  expectEnqueued<T, M extends TaskMethodOf<T>>(
    source: TaskClass<T>,
    method: M,
    args?: ExpectedArguments<TaskFunctionOf<T, M>>,
  ): EnqueuedTask<JsonOf<Parameters<TaskFunctionOf<T, M>>>>;
  expectEnqueued<F extends TaskFunction>(
    source: TaskContract<F>,
    args?: ExpectedArguments<F>,
  ): EnqueuedTask<JsonOf<Parameters<F>>>;
  expectEnqueued(source: TaskClass<unknown> | TaskContract, ...rest: unknown[]): EnqueuedTask {
    const { found, message } = this.check(source, ...rest);
    const last = found.at(-1);
    if (!last) throw readable(message, this.expectEnqueued);
    return last;
  }

  /**
   * Checks that nothing is enqueued: nothing at all, nothing of a class, of one task, or of one task with these arguments.
   *
   * @throws Error with what is enqueued
   */
  expectNothingEnqueued(): void;
  expectNothingEnqueued<T>(source: TaskClass<T>): void;
  expectNothingEnqueued<T, M extends TaskMethodOf<T>>(
    source: TaskClass<T>,
    method: M,
    args?: ExpectedArguments<TaskFunctionOf<T, M>>,
  ): void;
  expectNothingEnqueued<F extends TaskFunction>(source: TaskContract<F>, args?: ExpectedArguments<F>): void;
  expectNothingEnqueued(source?: TaskClass<unknown> | TaskContract, ...rest: unknown[]): void {
    const { found, what } = source ? this.check(source, ...rest) : { found: this.enqueued(), what: 'any task' };
    if (found.length > 0) throw readable(unexpectedTasks(what, found), this.expectNothingEnqueued);
  }

  /**
   * For matchers: the enqueued tasks that an expectation means, and the message for one that is not met.
   *
   * @internal
   */
  check(
    source: TaskClass<unknown> | TaskContract,
    ...rest: unknown[]
  ): { found: EnqueuedTask[]; what: string; message: string } {
    const [method, args] = (isContract(source) ? [undefined, rest[0]] : rest) as [string?, (readonly unknown[])?];
    const enqueued = this.enqueued();
    const names = this.#namesOf(source, method);
    if (names.length !== 1 || (method === undefined && !isContract(source))) {
      const what = `any task of ${(source as Type).name}`;
      const found = enqueued.filter(({ name }) => names.includes(name));
      return { found, what, message: `Expected to be enqueued: ${what}` };
    }
    const expected: ExpectedTask = { name: names[0] as string, args };
    return {
      found: enqueued.filter((task) => isExpected(expected, task)),
      what: describe(expected),
      message: missingTask(expected, enqueued),
    };
  }

  /**
   * Runs one attempt of a task in place, as a worker does: the arguments go through JSON and the schema, guards, pipes,
   * interceptors and filters run, and `TaskContext` shows a task. Nothing is stored but what the task enqueues.
   *
   * @returns what happened; the error of the task is not thrown
   * @throws NotSerializableError when the arguments cannot be sent
   * @throws UnknownTaskError when the method is no task
   */
  async run<T, M extends TaskMethodOf<T>>(
    source: TaskClass<T>,
    method: M,
    ...args: ArgumentsOf<TaskFunctionOf<T, M>>
  ): Promise<TaskAttempt<ResultOfTask<TaskFunctionOf<T, M>>>>;
  async run<F extends TaskFunction>(
    source: TaskContract<F>,
    ...args: ArgumentsOf<F>
  ): Promise<TaskAttempt<ResultOfTask<F>>>;
  async run(source: TaskClass<unknown> | TaskContract, ...rest: readonly unknown[]): Promise<TaskAttempt> {
    const [method, args] = isContract(source) ? [undefined, rest] : [rest[0] as string, rest.slice(1)];
    const [name = ''] = this.#namesOf(source, method);
    await this.#load();
    return this.#runUnstored({ name, args });
  }

  /**
   * Runs one attempt of a task that failed elsewhere, as {@link run} does. `npx nestjs-task-queue replay` writes tests that call it.
   *
   * @returns what happened; the error of the task is not thrown
   * @throws UnknownTaskError when no provider of the testing module declares the task
   * @throws NotSerializableError when the arguments cannot be sent
   * @example const { error } = await tasks.replay({ name: 'ReportTasks.build', args: ['2026-11'], attempt: 3 });
   */
  async replay(task: ReplayedTask): Promise<TaskAttempt> {
    await this.#load();
    if (!this.#get(TaskRegistry).get(task.name)) {
      throw new UnknownTaskError(
        `No provider of the testing module declares the task "${task.name}". Import the module that provides its class.`,
      );
    }
    return this.#runUnstored(task);
  }

  async #runUnstored({ name, args, headers = {}, attempt: number = 1 }: ReplayedTask): Promise<TaskAttempt> {
    const queue = this.#get(TaskRegistry).get(name)?.definition.queue ?? 'default';
    const id = newTaskId(queue);
    const call = { ...deliveryOf({ id, name, queue }, args, this.#deps.engine.now()), headers };
    const delivery = { ...call, attempt: number, starts: number };
    const deps = { ...this.#attempts, handler: this.#get(TaskExecutor) };
    const run = (interruption: Interruption) => attempt({ ...delivery, interruption }, deps);
    return (await this.#driver.runUnstored(id, name, run)).attempt;
  }

  /**
   * Runs all tasks that are due, and those that they enqueue, members of workflows, due retries and ticks of schedules too,
   * until nothing is due. The tasks run one after the other, in the order in which they were queued; a priority counts within a queue.
   *
   * @param options.failures `throw` (default): the error of the first task that failed is thrown, once nothing is due;
   * `collect`: they are only in the result
   * @param options.limit the most tasks that enqueue each other in a row; default 1,000
   * @returns how many of the tasks that ran are in each state now
   * @throws Error that shows the tasks when they have no end
   * @throws TaskFailedError of the first task that failed; its `cause` is what the task threw
   */
  async drain(
    options: { readonly failures?: 'throw' | 'collect'; readonly limit?: number } = {},
  ): Promise<DrainResult> {
    const { failures = 'throw', limit = CHAIN_LIMIT } = options;
    const ran = await this.#driver.drain(limit);
    for (let ticks = 0; await this.#ticks.runNext(); ticks++) {
      if (ticks === MOST_TICKS)
        throw new Error(`Schedules ran ${MOST_TICKS} times in one drain(). Advance the clock less.`);
      for (const task of await this.#driver.drain(limit)) ran.add(task);
    }
    const result = drainResult(ran, this.#deps.engine.now(), (name, message) =>
      this.#deps.kit.failures.lastThrown(name, message),
    );
    if (failures === 'throw') throwFirst(result);
    return result;
  }

  /**
   * Moves the time of delays, backoff, expiry and schedules forward. Nothing runs by itself, unless the mode is `workers`.
   * The time is `Date.now()`, also a faked one, and what the test added.
   */
  async advance(duration: Duration): Promise<void> {
    const milliseconds = parseDuration(duration, 'advance()');
    await this.#load();
    // The ticks of schedules count from before the step.
    await this.#ticks.prepare();
    this.#deps.kit.clock.advance(milliseconds);
  }

  /**
   * Makes the next attempts of a task fail with this error, without running its method. Retries then apply as always.
   *
   * @param options.times how many attempts fail; default 1
   */
  failNext<T>(
    source: TaskClass<T>,
    method: TaskMethodOf<T>,
    error: unknown,
    options?: { readonly times?: number },
  ): void;
  failNext(source: TaskContract, error: unknown, options?: { readonly times?: number }): void;
  failNext(source: TaskClass<unknown> | TaskContract, ...rest: unknown[]): void {
    const [method, error, options] = (isContract(source) ? [undefined, ...rest] : rest) as [
      string?,
      unknown?,
      { times?: number }?,
    ];
    for (const name of this.#namesOf(source, method)) this.#deps.kit.failures.add(name, error, options?.times ?? 1);
  }

  /**
   * Delivers a task twice, as happens when a worker dies after its work is done and before that is stored: is the task
   * idempotent? The first attempt is dropped, the second one is stored, unless the task had ended before.
   *
   * @returns both attempts
   * @throws TaskNotFoundError
   */
  async runTwice<R>(handle: TaskHandle<R>): Promise<[first: TaskAttempt<R>, second: TaskAttempt<R>]> {
    await this.#load();
    const task = this.#deps.engine.place.store.find(handle.id);
    if (!task) throw new TaskNotFoundError(handle.id);
    const deps = { ...this.#attempts, handler: this.#get(WorkflowRunner) };
    const [first, second] = await this.#driver.deliverTwice(task, (delivery) => attempt<Outcome, R>(delivery, deps));
    return [first.attempt, second.attempt];
  }

  /**
   * Calls a function as if a task ran, so that a test may call the method of a task, or any code below it, directly.
   *
   * @param run what `TaskContext` shows; every property has a default
   * @example await tasks.context({ attempt: 2, headers: { tenant: 'acme' } }, () => reports.build('2026-11'));
   */
  context<T>(run: OutsideRun, body: () => T): T {
    return this.#deps.context.run(outsideRun(run), body);
  }

  /**
   * Stores what `.in(tx)` has enqueued, as the commit of the transaction does. For the option `transactions: 'hold'`. All
   * transactions of the test are committed together.
   *
   * @throws ConfigurationError without that option
   */
  commit(): Promise<void> {
    return this.#held.commit();
  }

  /** Drops what `.in(tx)` has enqueued, as a rollback does. @throws ConfigurationError without `transactions: 'hold'` */
  rollback(): void {
    this.#held.rollback();
  }

  /**
   * Removes all tasks, held calls, planned failures and schedules that were made at run time, and sets the clock back. For `afterEach`.
   */
  reset(): void {
    const { store, schedules } = this.#deps.engine.place;
    schedules.texts.clear();
    this.#knownTicks = undefined;
    for (const task of [...store.all()]) store.remove(task);
    this.#deps.kit.held?.rollback();
    this.#deps.kit.failures.clear();
    this.#deps.kit.clock.reset();
    this.#driver.forget();
  }

  /** @internal */
  async onApplicationBootstrap(): Promise<void> {
    if (this.#deps.kit.mode !== 'workers') await this.#ticks.prepare();
  }

  /** @internal */
  onModuleDestroy(): Promise<void> {
    return this.#driver.close();
  }

  get #held(): HeldCalls {
    const { held } = this.#deps.kit;
    if (held) return held;
    throw new ConfigurationError(
      "commit() and rollback() are for calls that are held. Configure the test with TaskTesting.configure(builder, { transactions: 'hold' }).",
    );
  }

  get #ticks(): ScheduleTicks {
    this.#knownTicks ??= new ScheduleTicks({
      engine: this.#deps.engine,
      calls: this.#get(InstrumentedEnqueue),
      book: this.#get(ScheduleBook),
      declared: this.#get(DeclaredSchedules),
      queues: () => this.#get(TaskRegistry).queues(),
    });
    return this.#knownTicks;
  }

  get #attempts(): Omit<AttemptDeps<never>, 'handler'> {
    return {
      enqueuedBy: (id) => this.#driver.enqueuedBy(id).map((task) => toEnqueuedTask(task, this.#deps.engine.now())),
      thrown: (name, message) => this.#deps.kit.failures.lastThrown(name, message),
    };
  }

  #load(): Promise<void> {
    return this.#get(TaskQueueLifecycle).load();
  }

  /** The names of the tasks of a class, of its method, or of a contract. */
  #namesOf(source: TaskClass<unknown> | TaskContract, method: string | undefined): string[] {
    if (isContract(source)) return [source.name];
    const producers = this.#get(TaskQueue).of(source as Type<Record<string, never>>) as unknown as Record<
      string,
      { readonly name: string }
    >;
    if (method === undefined) return Object.values(producers).map(({ name }) => name);
    const producer = producers[method];
    if (!producer) throw new ConfigurationError(`${(source as Type).name} has no method ${method}.`);
    return [producer.name];
  }

  #get<T>(token: abstract new (...args: never[]) => T): T {
    return this.#deps.moduleRef.get(token, { strict: false });
  }
}

/** Whether a task waits: in its queue, for its time, or for other tasks. */
function waits({ place }: StoredTask): boolean {
  return place === 'queued' || place === 'delayed' || place === 'waiting';
}

/** An error whose stack begins where the test calls the kit. */
function readable(message: string, caller: Function): Error {
  const error = new Error(message);
  Error.captureStackTrace(error, caller);
  return error;
}
