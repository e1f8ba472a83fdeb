import type { MemoryEngine } from '../engine/memory/memory-engine.js';
import type { MemoryPlace } from '../engine/memory/memory-place.js';
import { hasEnded, type StoredTask } from '../engine/memory/stored-task.js';
import { toDelivery, type RunPlace } from '../engine/memory/task-run.js';
import type { Delivery, DeliveryHandler, Outcome } from '../engine/ports/worker-port.js';
import { closedError } from '../engine/closed-error.js';
import type { Interruption } from '../engine/interruption.js';
import { RunningTasks, type RunningTask } from '../engine/running-tasks.js';
import { isDutyTask } from '../engine/workflow-note.js';
import { WorkerClosingError } from '../errors.js';
import type { TaskEvents } from '../events/task-events.js';
import { describe } from './differences.js';
import { toEnqueuedTask } from './enqueued-task.js';

export interface TaskDriverDeps {
  readonly engine: MemoryEngine;
  /** The first handler of a run, as in a worker. */
  readonly handler: () => DeliveryHandler;
  /** Finds the tasks of the application, unless that is done. */
  readonly load: () => Promise<void>;
  /** The listeners of the application. */
  readonly events: () => Pick<TaskEvents, 'currentTask' | 'outsideOfListeners' | 'settle'>;
  /** The size of the batches of the queue's task; 1 for any other queue. */
  readonly batchSizeOf: (queue: string) => number;
  /** The id of the task whose code calls; `undefined` outside of tasks. */
  readonly caller: () => string | undefined;
}

/** Milliseconds. An attempt ends 250 ms after its signal was aborted, whatever its method does. */
const CLOSE_WITHIN = 1_000;
/** Milliseconds that a test waits for a listener with `@OnTask()`. A listener that hangs must not make the test hang. */
const LISTENERS_WITHIN = 2_000;
/** The most tasks of a chain that an error shows. */
const SHOWN = 8;

/** For a run that is stored nowhere. */
const UNHEARD = { onStart: () => undefined, onReport: () => undefined };

/** Runs stored tasks one after the other, as a test asks for it: first those that were queued first. */
export class TaskDriver {
  private readonly running = new RunningTasks();
  private isClosed = false;
  /** The tasks by which others were enqueued, and how many such steps there are before each. */
  private readonly origins = new Map<string, { readonly by: string | undefined; readonly depth: number }>();

  constructor(private readonly deps: TaskDriverDeps) {
    deps.engine.place.onStored.add((task) => this.remember(task));
  }

  get place(): MemoryPlace {
    return this.deps.engine.place;
  }

  /** A running task begins to wait for another one: that one runs now, and what it waits for. */
  runForCaller(id: string): void {
    const task = this.caller() === undefined ? undefined : this.place.store.find(id);
    if (task && !hasEnded(task) && task.place !== 'running') void this.drainFor(task);
  }

  /**
   * Runs what is due, and what that enqueues, until nothing is due.
   *
   * @param limit the most tasks that enqueue each other in a row, and the most runs of one task
   * @param ignoreDelays whether delayed tasks run at once
   * @returns the tasks that ran
   * @throws Error when the tasks have no end
   */
  async drain(limit: number, ignoreDelays = false): Promise<Set<StoredTask>> {
    await this.deps.load();
    const { store, dispatcher } = this.deps.engine.place;
    const ran = new Set<StoredTask>();
    const startsBefore = new Map<StoredTask, number>();
    for (;;) {
      await this.settleListeners();
      store.queueDue(ignoreDelays ? Infinity : undefined);
      const task = store.first((queue) => dispatcher.isPaused(queue));
      if (!task || this.isClosed) return ran;
      await this.runBatch(task, (one) => {
        if (!startsBefore.has(one)) startsBefore.set(one, one.starts);
        this.refuseEndless(one, one.starts - (startsBefore.get(one) ?? 0), limit);
        if (!isDutyTask(one.name)) ran.add(one);
      });
    }
  }

  /** Runs a task, and together with it those that a worker would put into the same batch. */
  private async runBatch(first: StoredTask, onRun: (task: StoredTask) => void = () => undefined): Promise<void> {
    const { store, dispatcher } = this.deps.engine.place;
    const size = this.deps.batchSizeOf(first.queue);
    const runs: Promise<void>[] = [];
    for (let next: StoredTask | undefined = first; next && runs.length < size;) {
      onRun(next);
      runs.push(this.run(next));
      next = store.first((queue) => queue !== first.queue || dispatcher.isPaused(queue));
    }
    await Promise.all(runs);
  }

  /** Waits for the listeners with `@OnTask()`, but for the one whose code calls. */
  async settleListeners(): Promise<void> {
    const events = this.deps.events();
    if (events.currentTask() === undefined) await events.settle(LISTENERS_WITHIN);
  }

  /** Runs one attempt of a queued task. */
  async run(task: StoredTask): Promise<void> {
    const { engine, events, handler } = this.deps;
    const { changes, place } = engine;
    const run = this.running.add(task.id, task.name);
    place.store.start(task, run);
    try {
      const delivery = this.delivery(task, run, {
        onStart: () => changes.started(task),
        onReport: () => place.changed(task, false),
      });
      const outcome = await events().outsideOfListeners(() => handler().handle(delivery));
      if (task.run === run) changes.storeOutcome(task, outcome);
    } finally {
      this.running.remove(run);
    }
  }

  /**
   * Delivers a task twice: the first attempt ends without being stored, as when its worker dies then.
   *
   * @param attempt runs one delivery
   */
  async deliverTwice<A extends { readonly outcome: Outcome }>(
    task: StoredTask,
    attempt: (delivery: Delivery) => Promise<A>,
  ): Promise<[first: A, second: A]> {
    const { changes, place } = this.deps.engine;
    const { store } = place;
    const isStored = !hasEnded(task) && task.place !== 'running';
    const run = this.running.add(task.id, task.name);
    try {
      if (isStored) store.start(task, run);
      const first = await attempt(this.delivery(task, run));
      task.abandoned++;
      task.starts++;
      const second = await attempt(this.delivery(task, run));
      // The test may ask for it again, and a task whose processes die again and again is not run.
      task.abandoned--;
      if (isStored && task.run === run) changes.storeOutcome(task, second.outcome);
      return [first, second];
    } finally {
      this.running.remove(run);
    }
  }

  /** The tasks that a task enqueued, in order. */
  enqueuedBy(id: string): StoredTask[] {
    return [...this.deps.engine.place.store.all()].filter((task) => this.origins.get(task.id)?.by === id);
  }

  /**
   * Runs an attempt that is stored nowhere. {@link close} asks it to end, as the others.
   *
   * @throws EngineUnavailableError when the application is closed
   */
  async runUnstored<A>(id: string, name: string, body: (interruption: Interruption) => Promise<A>): Promise<A> {
    if (this.isClosed) throw closedError('run');
    const run = this.running.add(id, name);
    try {
      return await body(run.interruption);
    } finally {
      this.running.remove(run);
    }
  }

  /** Asks all running tasks to end, and waits a moment for them: the application closes. */
  async close(): Promise<void> {
    this.isClosed = true;
    this.running.interrupt(new WorkerClosingError());
    await this.running.allEndWithin(CLOSE_WITHIN);
  }

  forget(): void {
    this.origins.clear();
  }

  private delivery(
    task: StoredTask,
    run: RunningTask,
    events: Pick<RunPlace, 'onStart' | 'onReport'> = UNHEARD,
  ): Delivery {
    const { engine } = this.deps;
    return toDelivery(task, run, { logLines: engine.logLines, now: () => engine.now(), ...events });
  }

  private async drainFor(task: StoredTask): Promise<void> {
    const { store, dispatcher } = this.deps.engine.place;
    await this.deps.load();
    for (store.queueDue(); !hasEnded(task) && !this.isClosed; store.queueDue()) {
      const next = task.place === 'queued' ? task : store.first((queue) => dispatcher.isPaused(queue));
      if (!next) return;
      await this.runBatch(next);
    }
  }

  /** The task whose code, or whose listener, calls. */
  private caller(): string | undefined {
    return this.deps.caller() ?? this.deps.events().currentTask();
  }

  private remember(task: StoredTask): void {
    const by = task.workflow?.parent?.id ?? this.caller();
    this.origins.set(task.id, { by, depth: by === undefined ? 0 : (this.origins.get(by)?.depth ?? 0) + 1 });
  }

  private refuseEndless(task: StoredTask, runs: number, limit: number): void {
    const now = this.deps.engine.now();
    const shown = (one: StoredTask) => describe(toEnqueuedTask(one, now));
    if (runs >= limit) {
      throw new Error(`The tasks have no end: ${shown(task)} ran ${runs} times, and it is due again.`);
    }
    if ((this.origins.get(task.id)?.depth ?? 0) < limit) return;
    const chain: StoredTask[] = [];
    for (let at: StoredTask | undefined = task; at && chain.length < SHOWN; at = this.originOf(at)) chain.push(at);
    throw new Error(
      `The tasks have no end: ${limit} of them enqueued each other in a row. The last ones:\n` +
        chain
          .toReversed()
          .map((one) => `  ${shown(one)}`)
          .join(' enqueued\n') +
        '\nGive drain({ limit }) a higher limit if that is intended.',
    );
  }

  private originOf({ id }: StoredTask): StoredTask | undefined {
    const by = this.origins.get(id)?.by;
    return by === undefined ? undefined : this.place.store.find(by);
  }
}
