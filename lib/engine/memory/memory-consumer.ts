import { EngineUnavailableError, WorkerClosingError } from '../../errors.js';
import { isExpiry } from '../failures.js';
import { GracePeriod } from '../grace-period.js';
import type { Consumer, ConsumerOptions, DeliveryHandler, Outcome } from '../ports/worker-port.js';
import { listOf, RunningTasks, type RunningTask } from '../running-tasks.js';
import type { Runner } from './dispatcher.js';
import type { StoredTask } from './stored-task.js';
import { toDelivery } from './task-run.js';
import type { MemoryChanges } from './memory-changes.js';
import type { MemoryPlace } from './memory-place.js';
import { PackageLogger } from '../../package-logger.js';
import { thrownStack, thrownText } from '../../thrown-text.js';

/** Milliseconds that methods may go on after their signals are aborted, before their tasks are given up. */
const ABORT_GRACE = 2_000;

/** Runs the tasks that the dispatcher hands to it. */
export class MemoryConsumer implements Consumer, Runner {
  readonly started = Promise.resolve();
  private readonly logger = new PackageLogger();
  private readonly tasks = new RunningTasks();
  private readonly grace = new GracePeriod();
  private stopping: Promise<void> | undefined;
  private readonly stopListening: (() => void) | undefined;

  constructor(
    readonly queue: string,
    readonly options: ConsumerOptions,
    private readonly handler: DeliveryHandler,
    private readonly place: MemoryPlace,
    private readonly changes: MemoryChanges,
    private readonly logLines: number,
  ) {
    place.dispatcher.add(this);
    this.stopListening = options.places?.onChange(() => place.dispatcher.wake(queue));
  }

  get hasFreePlace(): boolean {
    const { concurrency, places } = this.options;
    return this.tasks.size < Math.min(concurrency, places?.count() ?? Infinity);
  }

  running(): readonly RunningTask[] {
    return this.tasks.all();
  }

  silentFor(): number {
    return this.stopping ? Infinity : 0;
  }

  run(task: StoredTask): void {
    const run = this.tasks.add(task.id, task.name);
    this.place.store.start(task, run, this.options.worker);
    void this.runToEnd(task, run);
  }

  stop(grace: number): Promise<void> {
    this.grace.limit(grace);
    this.stopping ??= this.drain().finally(() => this.place.dispatcher.hasLeft(this));
    return this.stopping;
  }

  private async runToEnd(task: StoredTask, run: RunningTask): Promise<void> {
    const outcome = await this.outcomeOf(task, run);
    const isExpired = outcome?.kind === 'failed' && isExpiry(outcome.failure);
    // The start of an expired task was not counted.
    if (!run.hasStarted && !isExpired && task.run === run) this.place.dispatcher.giveBackStart(task);
    // The task was given up and runs elsewhere, or has ended.
    if (task.run === run) {
      if (outcome) this.changes.storeOutcome(task, outcome);
      else this.changes.abandon(task);
    }
    this.tasks.remove(run);
    this.place.dispatcher.wake(this.queue);
  }

  /** @returns `undefined` when the handler could not say how the run ended. Any other fault would come again, so the task fails with it */
  private async outcomeOf(task: StoredTask, run: RunningTask): Promise<Outcome | undefined> {
    const delivery = toDelivery(task, run, {
      logLines: this.logLines,
      now: () => this.place.clock.now(),
      onStart: () => this.changes.started(task),
      onReport: () => this.place.changed(task, false),
    });
    try {
      return await this.handler.handle(delivery);
    } catch (error) {
      // The engine of this process closes or is full, and the task runs again.
      if (error instanceof EngineUnavailableError) return undefined;
      const message = thrownText(error);
      this.logger.error(`Task ${task.name} (${task.id}) failed: ${message}`, thrownStack(error));
      return { kind: 'failed', failure: { name: 'Error', message } };
    }
  }

  private async drain(): Promise<void> {
    this.place.dispatcher.remove(this);
    this.stopListening?.();
    if (await this.tasks.allEndWithin(this.grace)) return;
    this.tasks.interrupt(new WorkerClosingError());
    if (await this.tasks.allEndWithin(ABORT_GRACE)) return;
    const leftOver = this.tasks.all();
    this.logger.warn(
      `The application closes while these tasks still run: ${listOf(leftOver)}. Their ends are dropped.`,
    );
    for (const { id } of leftOver) {
      const task = this.place.store.find(id);
      if (task?.run && leftOver.includes(task.run)) this.changes.abandon(task);
    }
  }
}
