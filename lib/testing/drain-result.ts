import type { StoredTask } from '../engine/memory/stored-task.js';
import { stateOf } from '../engine/memory/task-to-record.js';
import type { TaskState } from '../engine/task.js';
import { TaskFailedError } from '../errors.js';

/** How many of the tasks that ran are in each state now. */
export type DrainResult = Readonly<Record<TaskState, number>> & {
  /** The errors of the tasks that failed, in the order in which the tasks ran first. */
  readonly failures: readonly TaskFailedError[];
};

/** @param thrown the error itself that led to a failure, if it is known */
export function drainResult(
  ran: ReadonlySet<StoredTask>,
  now: number,
  thrown: (name: string, message: string) => Error | undefined,
): DrainResult {
  const counts: Record<TaskState, number> = {
    scheduled: 0,
    queued: 0,
    waiting: 0,
    running: 0,
    retrying: 0,
    succeeded: 0,
    failed: 0,
    cancelled: 0,
    expired: 0,
  };
  const failures: TaskFailedError[] = [];
  for (const task of ran) {
    const state = stateOf(task, now);
    counts[state]++;
    const { id, name, failure } = task;
    if (state === 'failed' && failure)
      failures.push(new TaskFailedError(id, name, thrown(name, failure.message) ?? failure));
  }
  return { ...counts, failures };
}

/** @throws TaskFailedError */
export function throwFirst({ failures }: DrainResult): void {
  const [first] = failures;
  if (first) throw first;
}
