import type { Engine } from '../engine/engine.js';
import { queueOfTask } from '../engine/task-id.js';
import { isFinal } from '../engine/task.js';
import { SelfWaitError } from '../errors.js';
import type { RunWait, RunWaits } from '../results/run-waits.js';
import type { TaskContext, TaskRun } from './task-context.js';

export interface RunWaitsDeps {
  readonly context: TaskContext;
  readonly engine: Pick<Engine, 'find'>;
}

/** A running task that waits for another one. */
export type WaitingRun = Pick<TaskRun, 'id' | 'name' | 'queue' | 'calls'>;

/** A queue from which this process takes tasks. */
export interface ConsumedQueue {
  /** How many of its tasks run at once; of a queue with batches, how many batches. */
  readonly places: number;
  /** Whether a task that the worker has taken may wait there for a place, as the calls of batches do. */
  readonly holdsTasks: boolean;
  /** Whether a worker in another process takes tasks from it too. */
  readonly isConsumedElsewhere: () => Promise<boolean>;
}

/**
 * Finds waits that can never end: a running task keeps its place in its queue while it waits, and the awaited task needs
 * a place of the same queue. When every place of the process is kept in that way, and no other process takes tasks from
 * the queue, the last caller gets an error instead of waiting for ever.
 */
export class RunWaitsOfProcess implements RunWaits {
  private readonly queues = new Map<string, ConsumedQueue>();
  /** The running tasks that wait, by queue, with the number of their waits. */
  private readonly waiting = new Map<string, Map<WaitingRun, number>>();

  constructor(private readonly deps: RunWaitsDeps) {}

  addQueue(name: string, queue: ConsumedQueue): void {
    this.queues.set(name, queue);
  }

  begin(id: string): RunWait | undefined {
    const run = this.deps.context.current();
    return run && this.beginFor(run, id);
  }

  /** The same for a run that may be in a child process. */
  beginFor(run: WaitingRun, id: string): RunWait | undefined {
    const queue = this.queues.get(run.queue);
    if (!queue || queueOfTask(id) !== run.queue) return undefined;
    const runs = this.waiting.get(run.queue) ?? new Map<WaitingRun, number>();
    this.waiting.set(run.queue, runs.set(run, (runs.get(run) ?? 0) + 1));
    return {
      checked: isOwn(id, run) || runs.size >= queue.places ? this.check(id, run, queue) : Promise.resolve(),
      end() {
        const count = (runs.get(run) ?? 1) - 1;
        if (count > 0) runs.set(run, count);
        else runs.delete(run);
      },
    };
  }

  /** Whether another process runs the tasks of a queue. */
  async isConsumedElsewhere(queue: string): Promise<boolean> {
    return (await this.queues.get(queue)?.isConsumedElsewhere()) ?? true;
  }

  private async check(id: string, run: WaitingRun, queue: ConsumedQueue): Promise<void> {
    if (!isOwn(id, run)) {
      const record = await this.deps.engine.find(id);
      if (!record || isFinal(record.state)) return;
      // Otherwise it runs in one of the places, and all of those wait, or it is held and gets none.
      if (record.state === 'running' && !queue.holdsTasks) return;
      if (await queue.isConsumedElsewhere()) return;
    }
    throw new SelfWaitError(id, run, queue.places);
  }
}

/** Whether a run waits for itself. */
function isOwn(id: string, run: WaitingRun): boolean {
  return run.calls?.has(id) ?? id === run.id;
}
