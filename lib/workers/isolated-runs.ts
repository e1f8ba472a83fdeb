import type { Delivery } from '../engine/ports/worker-port.js';
import type { RegisteredTask } from '../tasks/task-registry.js';
import type { IsolateSettings } from '../tasks/task-isolation.js';
import type { RunOutcome } from '../workflows/run-outcome.js';
import type { RunEnds } from './run-ends.js';

/** A task that runs in a child process. */
export type IsolatedTask = RegisteredTask & { readonly definition: { readonly isolate: IsolateSettings } };

export function isIsolatedTask(task: RegisteredTask): task is IsolatedTask {
  return task.definition.isolate !== undefined;
}

/** Runs tasks in child processes. */
export interface IsolatedRuns {
  /** Never rejects because of the task. @param ends makes outcomes where the child gives none */
  handle(delivery: Delivery, task: IsolatedTask, ends: RunEnds): Promise<RunOutcome>;
}
