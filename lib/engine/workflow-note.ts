import type { Plan } from '../workflows/plan.js';

/** What is stored with each task of a workflow besides its call. */
export interface TaskNote {
  /** Its first member is the step before it. */
  readonly after?: true;
  /** The result of the step before goes before its arguments. */
  readonly piped?: true;
  /** See {@link import('../workflows/plan.js').TaskPlan.each}. */
  readonly each?: true;
  /** Its place in its chain, 0 for the first, when the chain has several. */
  readonly step?: number;
  /** It is the last of its chain, and so the chain's result. */
  readonly last?: true;
  readonly group?: {
    readonly onFailure?: 'collect';
    /** Its members are not stored yet: they begin with the result of the step before. */
    readonly later?: readonly Plan[];
  };
  /** It became another, which is its last member. */
  readonly replaced?: true;
  readonly onSuccess?: readonly Plan[];
  readonly onError?: readonly Plan[];
}

/** The name of the job that gathers the results of a group. No task may be named like it. */
export const GROUP_TASK = '$group';
