import type { Logger } from '@nestjs/common';
import { TaskCancelledError } from '../../errors.js';
import { isFinal } from '../task.js';
import type { MemoryChanges } from './memory-changes.js';
import type { StoredTask } from './stored-task.js';
import { stateOf } from './task-to-record.js';

export interface MemoryCancelsDeps {
  readonly changes: Pick<MemoryChanges, 'cancel'>;
  readonly now: () => number;
  readonly logger: Pick<Logger, 'log'>;
}

/** Cancels tasks with their members. */
export class MemoryCancels {
  constructor(private readonly deps: MemoryCancelsDeps) {}

  /** The task first: otherwise it would take its cancelled members for failures. */
  cancel(root: StoredTask, reason: string | undefined): void {
    const tasks = [root];
    // The list grows while it is walked through.
    for (const task of tasks) {
      if (isFinal(stateOf(task, this.deps.now()))) continue;
      tasks.push(...(task.workflow?.members ?? []));
      if (task.run) {
        task.cancelled = { reason };
        task.run.interruption.request(new TaskCancelledError(reason));
      } else {
        this.deps.changes.cancel(task, reason);
        this.logCancelled(task);
      }
    }
  }

  /** The line that a worker logs on the other engines, where it clears the task away. */
  private logCancelled({ name, id, failure }: StoredTask): void {
    try {
      this.deps.logger.log(`Task ${name} (${id}) was cancelled: ${failure?.message}`);
    } catch {
      // A logger of the application that throws must not leave a workflow half cancelled.
    }
  }
}
