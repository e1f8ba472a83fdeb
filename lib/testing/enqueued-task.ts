import type { Json } from '../engine/json.js';
import type { StoredTask } from '../engine/memory/stored-task.js';
import { stateOf } from '../engine/memory/task-to-record.js';
import type { CallOptions, Headers, TaskState } from '../engine/task.js';

/**
 * A task that the application enqueued, as `TaskTesting` shows it.
 *
 * @typeParam A the arguments, as they come out of JSON
 */
export interface EnqueuedTask<A = readonly unknown[]> {
  readonly id: string;
  readonly name: string;
  readonly queue: string;
  readonly args: A;
  readonly headers: Headers;
  /** The options of the call: what it leaves out comes from the declaration of the task. */
  readonly options: CallOptions;
  readonly state: TaskState;
  /** The earliest time at which the task may start; `null` while it waits for other tasks, and once it has ended. */
  readonly runAt: Date | null;
}

export function toEnqueuedTask(task: StoredTask, now: number): EnqueuedTask {
  const { id, name, queue, args, headers, options, place, due, enqueuedAt } = task;
  return {
    id,
    name,
    queue,
    args: JSON.parse(args) as Json[],
    headers: { ...headers },
    options,
    state: stateOf(task, now),
    runAt: place === 'delayed' ? new Date(due) : place === 'queued' ? new Date(options.startAt ?? enqueuedAt) : null,
  };
}
