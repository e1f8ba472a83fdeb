import type { CallOptions, Headers } from '../engine/engine.js';
import type { Json } from '../engine/json.js';

/**
 * A workflow as JSON: what a signature is made of, what is stored of the parts that come later, and what
 * `signature.toJSON()` gives. A plan is never changed, only made anew.
 */
export type Plan = TaskPlan | ChainPlan | GroupPlan;

/** What follows once the result is known: one gets the result as its first argument, the other the error. */
export interface Links {
  readonly onSuccess?: readonly Plan[];
  readonly onError?: readonly Plan[];
}

/** One call of a task. */
export interface TaskPlan extends Links {
  readonly task: string;
  readonly queue: string;
  readonly args: readonly Json[];
  /** It takes no earlier result. */
  readonly immutable?: true;
  /** `args` is a list of argument lists: the method runs for each, within this one task, and gives the list of results. */
  readonly each?: true;
  readonly options?: Omit<CallOptions, 'startAt' | 'expiresAt'>;
  readonly delay?: Moment;
  readonly expires?: Moment;
  readonly headers?: Headers;
  /** Why it can be enqueued by itself only. */
  readonly alone?: string;
}

/** Milliseconds from when it is enqueued (`delay`: from when its turn comes), or a time. */
export type Moment = number | { readonly at: number };

/** One after the other; each result becomes the first argument of the next. */
export interface ChainPlan extends Links {
  readonly chain: readonly Plan[];
  /** Written `chord(group, callback)`. */
  readonly chord?: true;
}

/** All at once; the result is the list of theirs, in order. */
export interface GroupPlan extends Links {
  readonly group: readonly Plan[];
  /** A member that fails is an entry of the list instead of the end of the whole. */
  readonly onFailure?: 'collect';
}

/** The steps one after the other, with chains in chains opened; what follows a chain follows its last step. */
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

/** The plan with an earlier result put before the arguments of whatever starts first. */
export function withInput(plan: Plan, value: Json): Plan {
  if ('group' in plan) return { ...plan, group: plan.group.map((member) => withInput(member, value)) };
  if ('chain' in plan) {
    const [first, ...rest] = plan.chain;
    return first ? { ...plan, chain: [withInput(first, value), ...rest] } : plan;
  }
  return plan.immutable || plan.each ? plan : { ...plan, args: [value, ...plan.args] };
}

/** Every task of a plan, those that may follow it included. */
export function* tasksOf(plan: Plan): Generator<TaskPlan, void, undefined> {
  if ('group' in plan) for (const member of plan.group) yield* tasksOf(member);
  else if ('chain' in plan) for (const step of plan.chain) yield* tasksOf(step);
  else yield plan;
  for (const link of [...(plan.onSuccess ?? []), ...(plan.onError ?? [])]) yield* tasksOf(link);
}

/** The queue in which the plan's result comes about; an empty group has none of its own. */
export function queueOf(plan: Plan): string | undefined {
  if ('task' in plan) return plan.queue;
  if ('chain' in plan) {
    const own = plan.chain.at(-1);
    return (own && queueOf(own)) ?? firstQueue(plan.chain);
  }
  return firstQueue(plan.group);
}

function firstQueue(plans: readonly Plan[]): string | undefined {
  for (const plan of plans) {
    const queue = queueOf(plan);
    if (queue !== undefined) return queue;
  }
  return undefined;
}
