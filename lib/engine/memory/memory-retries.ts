import { RetryRefusedError } from '../../errors.js';
import { CANCELLED_WITHIN } from '../cancelled-within.js';
import { isFinal } from '../task.js';
import { hasEnded, type StoredTask } from './stored-task.js';
import type { TaskStore } from './task-store.js';
import { stateOf } from './task-to-record.js';

/** The pause before a task is looked at again, in milliseconds. */
const LOOK_AGAIN_AFTER = 5;

/** Runs tasks again with those of their members that did not succeed. */
export class MemoryRetries {
  constructor(
    private readonly store: TaskStore,
    private readonly now: () => number,
  ) {}

  /** @throws RetryRefusedError when an equal task has not ended */
  async retry(task: StoredTask): Promise<void> {
    await this.afterCancels(task);
    this.retryAll(task);
  }

  /** Waits for the ends of cancelled runs: until then a task cannot run again. */
  private async afterCancels(root: StoredTask): Promise<void> {
    const giveUp = performance.now() + CANCELLED_WITHIN;
    while (isEnding(root) && performance.now() < giveUp)
      await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_AFTER));
  }

  /** Members first: the task reads their results as soon as it runs. */
  private retryAll(task: StoredTask): void {
    const state = stateOf(task, this.now());
    const isStillRunning = hasCancelledRun(task);
    if (state !== 'failed' && state !== 'cancelled' && state !== 'expired' && !isStillRunning) return;
    for (const member of task.workflow?.members ?? []) if (member.place !== 'removed') this.retryAll(member);
    this.refuseSecond(task);
    // The end of that run then queues the task again.
    if (isStillRunning) task.cancelled = { reason: task.cancelled?.reason, again: true };
    // No worker has taken it yet: it is still in its queue, and runs when its turn comes.
    else if (state === 'expired' && !hasEnded(task)) task.reruns++;
    else this.store.revive(task);
  }

  /** @throws RetryRefusedError when an equal task has not ended */
  private refuseSecond({ id, name, unique }: StoredTask): void {
    const holder = unique && this.store.holderOf(unique.key);
    if (holder && holder.id !== id && !isFinal(stateOf(holder, this.now())))
      throw new RetryRefusedError(id, name, holder.id);
  }
}

/** Whether the task or one of its members was cancelled and still runs. */
function isEnding(task: StoredTask): boolean {
  return hasCancelledRun(task) || (task.workflow?.members.some(isEnding) ?? false);
}

function hasCancelledRun({ run, cancelled }: StoredTask): boolean {
  return run !== undefined && cancelled !== undefined;
}
