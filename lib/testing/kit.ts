import { setImmediate as turn } from 'node:timers/promises';
import { isDutyTask } from '../engine/workflow-note.js';
import { HeldCalls } from '../engine/held-calls.js';
import { hasEnded } from '../engine/memory/stored-task.js';
import type { RegisteredTask } from '../tasks/task-registry.js';
import type { TestingSlot } from '../testing-slot.module.js';
import { PlannedFailures } from './planned-failures.js';
import type { TaskDriver } from './task-driver.js';
import { TestClock } from './test-clock.js';

/**
 * When tasks run in a test:
 *
 * - `manual` (default): a task runs only when the test calls `run()` or `drain()`.
 * - `inline`: a task runs while it is enqueued, with its retries, whatever its delay. `enqueue()` never throws its error,
 *   and the handle is final.
 * - `workers`: as in production.
 */
export type TaskTestingMode = 'manual' | 'inline' | 'workers';

/** The most tasks that enqueue each other in a row, unless the test says otherwise. */
export const CHAIN_LIMIT = 1_000;

/** What the testing kit puts into one application, before the application exists. */
export class Kit {
  readonly clock = new TestClock();
  readonly failures = new PlannedFailures();
  /** Set as soon as the application has an engine. */
  driver: TaskDriver | undefined;

  /** What transactions have enqueued; `undefined` when it is stored at once. */
  readonly held: HeldCalls | undefined;

  constructor(
    readonly mode: TaskTestingMode,
    holds = false,
  ) {
    this.held = holds ? new HeldCalls() : undefined;
  }

  slot(): TestingSlot {
    return {
      options: { connection: 'memory:', role: this.mode === 'workers' ? 'both' : 'producer' },
      engine: {
        clock: this.clock,
        onStored: (ids) => this.onStored(ids),
        onWatched: (id) => this.onWatched(id),
        ...(this.held && { held: this.held }),
      },
      register: (task) => this.failures.around(this.mode === 'workers' ? task : withoutWait(task)),
      progressInterval: 0,
    };
  }

  private async onStored(ids: readonly string[]): Promise<void> {
    // A duty is done only after the end of the task that stores it here.
    const isDuty = ids.every((id) => isDutyTask(this.driver?.place.store.find(id)?.name ?? ''));
    if (this.mode !== 'inline' || !this.driver || isDuty) return turn();
    await this.driver.drain(CHAIN_LIMIT, true);
    // A call that was made at the same time may have begun to run them.
    const { store } = this.driver.place;
    for (const id of ids) for (let task = store.find(id); task && !hasEnded(task); task = store.find(id)) await turn();
  }

  /** A task that waits for another one would wait for ever, because tasks run one after the other. */
  private onWatched(id: string): void {
    if (this.mode === 'manual') this.driver?.runForCaller(id);
  }
}

/** `drain()` gives a method that takes batches all calls that are due, so there is nothing to wait for. */
function withoutWait(task: RegisteredTask): RegisteredTask {
  const { definition } = task;
  return definition.batch ? { ...task, definition: { ...definition, batch: { ...definition.batch, wait: 0 } } } : task;
}
