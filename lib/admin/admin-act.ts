import type { TaskFilter } from './task-filter.js';

/** What an act is about. */
export interface ActSubject {
  /** The name of the method of `TaskAdmin`, for example `pause`; of acts of the dashboard on schedules, `pauseSchedule` and its like, and `enqueue`. */
  readonly act: string;
  /** The queue, for acts on a queue. */
  readonly queue?: string;
  /** The id of the task, for acts on one task. */
  readonly id?: string;
  /** The filter, for acts on many tasks. */
  readonly filter?: TaskFilter;
  /** The id of the worker, for `shutdown`. */
  readonly worker?: string;
  /** The id of the schedule, for acts of the dashboard on a schedule: `pauseSchedule`, `runSchedule` and their like. */
  readonly schedule?: string;
  /** What was given: the limit, the change of a task, `{ rate }`, `{ grace }`, the call of `enqueue`. */
  readonly value?: unknown;
}

/** An act of an administrator, as a method with `@OnAdmin()` gets it. */
export interface AdminAct extends ActSubject {
  /** Who acted; `unknown` when the caller did not say. */
  readonly by: string;
  readonly reason: string | null;
  /** When the act began: ISO 8601 text in UTC, by the store's clock. */
  readonly at: string;
  /**
   * What the method returned: the status of a task, whether a task was forgotten, `{ id }` of the task that performs an act on many
   * tasks, or `null`. Absent when the act failed.
   */
  readonly result?: unknown;
  /** Why the act failed or was refused. Absent when it did not. */
  readonly error?: { readonly name: string; readonly message: string; readonly code?: string };
}
