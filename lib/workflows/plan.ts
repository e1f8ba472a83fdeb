import type { CallOptions, Headers } from '../engine/task.js';
import type { Json } from '../engine/json.js';

/**
 * A workflow as JSON. Each signature has a plan and returns it by `toJSON()`; a `WorkflowNote` stores the parts of a
 * plan that come later. A plan never changes: every function makes a new one.
 */
export type Plan = TaskPlan | ChainPlan | GroupPlan;

/**
 * Plans that are enqueued after the end: `onSuccess` with the result as the first argument, `onError` with the error.
 */
export interface Links {
  readonly onSuccess?: readonly Plan[];
  readonly onError?: readonly Plan[];
}

/** One call of a task. */
export interface TaskPlan extends Links {
  readonly task: string;
  readonly queue: string;
  readonly args: readonly Json[];
  /** The task ignores an earlier result. */
  readonly immutable?: true;
  /**
   * `args` is a list of argument lists: the method runs for each, within this one task, and gives the list of results.
   */
  readonly each?: true;
  readonly options?: Omit<CallOptions, 'startAt' | 'expiresAt'>;
  readonly delay?: Moment;
  readonly expires?: Moment;
  readonly headers?: Headers;
  /** The attempts that the task used up as a part of another task. */
  readonly tried?: number;
  /** Why the task cannot be part of a workflow, as the end of an error message: `is unique`. */
  readonly alone?: string;
}

/** Milliseconds from the enqueue (`delay` of a later step: from the time at which the step is reached), or a time. */
export type Moment = number | { readonly at: number };

/** Steps one after the other; the result of each becomes the first argument of the next. */
export interface ChainPlan extends Links {
  readonly chain: readonly Plan[];
  /** The chain was made by `chord(group, callback)`, and its text says so. */
  readonly chord?: true;
}

/** Members side by side; the result is the list of their results, in order. */
export interface GroupPlan extends Links {
  readonly group: readonly Plan[];
  /** `collect`: a failed member becomes an entry of the list instead of making the whole fail. */
  readonly onFailure?: 'collect';
}

/** The steps of a plan, with chains inside chains flattened. The links of a chain go to its last step. */
export function stepsOf(plan: Plan): (TaskPlan | GroupPlan)[] {
  if (!('chain' in plan)) return [plan];
  const steps = plan.chain.flatMap(stepsOf);
  const last = steps.at(-1);
  if (last) steps[steps.length - 1] = withLinks(last, plan);
  return steps;
}

export function withLinks<P extends Plan>(plan: P, { onSuccess, onError }: Links): P {
  if (!onSuccess && !onError) return plan;
  return {
    ...plan,
    ...(onSuccess && { onSuccess: [...(plan.onSuccess ?? []), ...onSuccess] }),
    ...(onError && { onError: [...(plan.onError ?? []), ...onError] }),
  };
}

/** The plan with an earlier result as the first argument of every task that starts first. */
export function withInput(plan: Plan, value: Json): Plan {
  if ('group' in plan) return { ...plan, group: plan.group.map((member) => withInput(member, value)) };
  if ('chain' in plan) {
    const [first, ...rest] = plan.chain;
    return first ? { ...plan, chain: [withInput(first, value), ...rest] } : plan;
  }
  return plan.immutable || plan.each ? plan : { ...plan, args: [value, ...plan.args] };
}

/** Every task of a plan, including the tasks of its links. */
export function* tasksOf(plan: Plan): Generator<TaskPlan, void, undefined> {
  if ('group' in plan) for (const member of plan.group) yield* tasksOf(member);
  else if ('chain' in plan) for (const step of plan.chain) yield* tasksOf(step);
  else yield plan;
  for (const link of [...(plan.onSuccess ?? []), ...(plan.onError ?? [])]) yield* tasksOf(link);
}

/** The tasks of plans with their queues, those of their links included. */
export function* placedTasks(plans: readonly Plan[]): Generator<{ name: string; queue: string }, void, undefined> {
  for (const plan of plans) for (const { task, queue } of tasksOf(plan)) yield { name: task, queue };
}

/** The queue of the first task of a plan; `undefined` for a plan without a task, such as an empty group. */
export function firstQueueOf(plan: Plan): string | undefined {
  for (const { queue } of tasksOf(withoutLinks(plan))) return queue;
  return undefined;
}

function withoutLinks(plan: Plan): Plan {
  const { onSuccess: _success, onError: _error, ...rest } = plan;
  return rest;
}

/**
 * Plans as a `WorkflowNote` stores them. A plan is JSON; its interfaces just lack the index signature of the type
 * `Json`.
 */
export function toJsonPlans(plans: readonly Plan[]): readonly Json[] {
  return plans as readonly unknown[] as readonly Json[];
}

/** The plans of a `WorkflowNote`, which {@link toJsonPlans} stored. */
export function fromJsonPlans(plans: readonly Json[] = []): readonly Plan[] {
  return plans as readonly unknown[] as readonly Plan[];
}
