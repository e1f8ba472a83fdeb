import type { Json } from './json.js';

/**
 * What a workflow stores with each of its tasks, beside the call. `workflows/` writes it, `results/` reads from it how far
 * a workflow is, and an engine stores it as it is. Plans of tasks that come later are JSON here; `workflows/plan.ts`
 * turns them back into plans.
 */
export interface WorkflowNote {
  /** The first member of the task is the step before it. */
  readonly after?: true;
  /** The result of the step before becomes the first argument. */
  readonly piped?: true;
  /** The arguments are a list of argument lists: the method runs once for each (`map`, `starmap`, `chunks`). */
  readonly each?: true;
  /** The place of the task in its chain, 0 for the first. Absent on the first step and outside of chains. */
  readonly step?: number;
  /** The task is the last of its chain, so its result is the result of the chain. */
  readonly last?: true;
  /** The task gathers the results of a group. */
  readonly group?: {
    readonly onFailure?: 'collect';
    /** Plans of members that are stored once the step before has a result. */
    readonly later?: readonly Json[];
  };
  /** The task was replaced by another, which is its last member. */
  readonly replaced?: true;
  /** Plans that are enqueued with the result once the task succeeded. */
  readonly onSuccess?: readonly Json[];
  /** Plans that are enqueued with the error once the task failed. */
  readonly onError?: readonly Json[];
}

/** The name of the task that gathers the results of a group. A declared task cannot have it. */
export const GROUP_TASK = '$group';
