import type { CallOptions, Headers, TaskTree } from '../engine/task.js';
import type { Topology } from '../engine/shards/topology.js';
import { memberId, MOST_MEMBERS, queueOfTask } from '../engine/task-id.js';
import { GROUP_TASK, type WorkflowNote } from '../engine/workflow-note.js';
import { ConfigurationError } from '../errors.js';
import {
  firstQueueOf,
  stepsOf,
  tasksOf,
  toJsonPlans,
  type GroupPlan,
  type Moment,
  type Plan,
  type TaskPlan,
} from './plan.js';

const HIGHEST_PRIORITY = 9;

/** The values that all tasks of one workflow share. */
export interface CompileContext {
  /** The headers of every task; a task's own headers take precedence. */
  readonly headers: Headers;
  readonly now: number;
  /** The id of the task whose watchers hear of changes of all tasks. */
  readonly root: string;
  /** The queue of a group without tasks. */
  readonly queue: string;
  /** The priority of each task that has none of its own, and follows none that has. */
  readonly priority?: number | undefined;
  /** Whether the queue of this name has a rate limit. */
  readonly hasRateLimit: (queue: string) => boolean;
  /** Which queue is in which shard. */
  readonly topology: Topology;
}

/** A step of a chain, with the priority that it gets from the whole or from the step before. */
interface Step {
  readonly plan: TaskPlan | GroupPlan;
  readonly inherited: number | undefined;
}

/** Turns a plan into the tree of tasks whose root gives the plan's result. @param id the id of that root */
export function compilePlan(plan: Plan, id: string, context: CompileContext): TaskTree {
  return treeOf(withPriorities(stepsOf(plan), context.priority), id, context);
}

/**
 * The trees of plans that become members of `parent`.
 *
 * @param from the place of the first plan among all members
 * @throws ConfigurationError when the parent would have more members than a task can have
 */
export function compileMembers(
  plans: readonly Plan[],
  parent: string,
  from: number,
  context: CompileContext,
): TaskTree[] {
  if (from + plans.length > MOST_MEMBERS) {
    throw new ConfigurationError(
      `The group has ${plans.length} members, but a task can have ${MOST_MEMBERS} at most. Make a group of smaller groups, or put several calls into one task with chunks().`,
    );
  }
  return plans.map((plan, index) => compilePlan(plan, memberId(parent, from + index, queueOf(plan, context)), context));
}

/**
 * The queue of the task that gives the plan's result. A group gathers its results in the queue of its first task, unless
 * gathering would use up the rate limit there.
 */
export function queueOf(plan: Plan, context: Pick<CompileContext, 'queue' | 'hasRateLimit' | 'topology'>): string {
  if ('task' in plan) return plan.queue;
  if ('chain' in plan) return queueOf(plan.chain.at(-1) as Plan, context);
  const queue = firstQueueOf(plan) ?? context.queue;
  return context.hasRateLimit(queue) ? context.topology.workflowQueue(queue) : queue;
}

/**
 * Refuses a plan with a task that cannot be part of a workflow, wherever the task stands: also in a group that is stored
 * later, and in the links, which would otherwise be found out only after the work before them is done.
 *
 * @throws ConfigurationError naming the task
 */
export function refuseLoneTasks(plan: Plan): void {
  for (const task of tasksOf(plan)) refuseLoneTask(task);
}

function refuseLoneTask({ task, alone }: TaskPlan): void {
  if (alone !== undefined) throw new ConfigurationError(`Task "${task}" ${alone}, so it cannot be part of a workflow.`);
}

/** A step without a priority of its own gets that of the step before: otherwise a workflow would lose it on its way. */
function withPriorities(plans: readonly (TaskPlan | GroupPlan)[], priority: number | undefined): Step[] {
  let inherited = priority;
  return plans.map((plan) => {
    const step = { plan, inherited };
    inherited = priorityOf(plan, inherited);
    return step;
  });
}

/** The priority of a plan's last tasks; of the members of a group, the highest. */
function priorityOf(plan: Plan, inherited: number | undefined): number | undefined {
  if ('task' in plan) return plan.options?.priority ?? inherited;
  if ('chain' in plan)
    return plan.chain.reduce<number | undefined>((before, step) => priorityOf(step, before), inherited);
  const all = plan.group.flatMap((member) => priorityOf(member, inherited) ?? []);
  return all.length > 0 ? Math.max(...all) : inherited;
}

/** Each step has the step before it as its first member, because a task runs once its members have ended. */
function treeOf(steps: readonly Step[], id: string, context: CompileContext, isInner = false): TaskTree {
  const before = steps.slice(0, -1);
  const { plan, inherited } = steps.at(-1) as Step;
  const step = before.length;
  const stepBefore = before.at(-1);
  const first = stepBefore ? [treeOf(before, memberId(id, 0, queueOf(stepBefore.plan, context)), context, true)] : [];
  const note: WorkflowNote = {
    ...(step > 0 && { after: true, step }),
    ...(step > 0 && !isInner && { last: true }),
    ...(plan.onSuccess && { onSuccess: toJsonPlans(plan.onSuccess) }),
    ...(plan.onError && { onError: toJsonPlans(plan.onError) }),
  };
  const own = { ...context, priority: inherited };
  return 'group' in plan ? groupTree(plan, id, own, first, note) : taskTree(plan, id, own, first, note);
}

function taskTree(
  plan: TaskPlan,
  id: string,
  context: CompileContext,
  members: TaskTree[],
  note: WorkflowNote,
): TaskTree {
  refuseLoneTask(plan);
  const waits = members.length > 0;
  return {
    id,
    name: plan.task,
    queue: plan.queue,
    args: plan.args,
    headers: { ...context.headers, ...plan.headers },
    options: optionsOf(plan, context, waits),
    members,
    root: context.root,
    note: {
      ...note,
      ...(waits && !plan.immutable && !plan.each && { piped: true }),
      ...(waits && plan.delay !== undefined && { delay: plan.delay }),
      ...(plan.each && { each: true }),
      ...(plan.tried !== undefined && { tried: plan.tried }),
    },
  };
}

function groupTree(
  { group, onFailure }: GroupPlan,
  id: string,
  context: CompileContext,
  first: TaskTree[],
  note: WorkflowNote,
): TaskTree {
  const waits = first.length > 0;
  const members = waits ? first : compileMembers(group, id, 0, context).map((member) => withFailure(member, onFailure));
  const priority = priorityOf({ group }, context.priority);
  return {
    id,
    name: GROUP_TASK,
    queue: queueOfTask(id) as string,
    args: [],
    headers: context.headers,
    // Gathering is no work, so it comes before all work. The note has the priority of the tasks that follow.
    options: { priority: HIGHEST_PRIORITY },
    members,
    root: context.root,
    note: {
      ...note,
      ...(priority !== undefined && { priority }),
      group: { ...(onFailure && { onFailure }), ...(waits && { later: toJsonPlans(group) }) },
    },
  };
}

/** The member of a group, with the group's rule for a failed member. */
export function withFailure(member: TaskTree, onFailure: 'collect' | undefined): TaskTree {
  return onFailure === 'collect' ? { ...member, onFailure: 'wait' } : member;
}

/** @param waits the task has members: its delay counts from the time when they have ended, so the note has it */
function optionsOf(
  { options, delay, expires }: TaskPlan,
  { now, priority }: CompileContext,
  waits: boolean,
): CallOptions {
  return {
    ...(priority !== undefined && { priority }),
    ...options,
    ...(delay !== undefined && !waits && { startAt: timeOf(delay, now) }),
    ...(expires !== undefined && { expiresAt: timeOf(expires, now) }),
  };
}

function timeOf(moment: Moment, now: number): number {
  return typeof moment === 'number' ? now + moment : moment.at;
}
