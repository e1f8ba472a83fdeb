import type { CallOptions, Headers, TaskTree } from '../engine/task.js';
import { memberId, MOST_MEMBERS } from '../engine/task-id.js';
import { GROUP_TASK, type WorkflowNote } from '../engine/workflow-note.js';
import { ConfigurationError } from '../errors.js';
import {
  queueOf,
  stepsOf,
  tasksOf,
  toJsonPlans,
  type GroupPlan,
  type Moment,
  type Plan,
  type TaskPlan,
} from './plan.js';

/** The values that all tasks of one workflow share. */
export interface CompileContext {
  /** The headers of every task; a task's own headers take precedence. */
  readonly headers: Headers;
  readonly now: number;
  /** The id of the task whose watchers hear of changes of all tasks. */
  readonly root: string;
  /** The queue of a group without members. */
  readonly queue: string;
}

/** Turns a plan into the tree of tasks whose root gives the plan's result. @param id the id of that root */
export function compilePlan(plan: Plan, id: string, context: CompileContext): TaskTree {
  return treeOf(stepsOf(plan), id, context);
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
  return plans.map((plan, index) =>
    compilePlan(plan, memberId(parent, from + index, queueOf(plan) ?? context.queue), context),
  );
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

/** Each step has the step before it as its first member, because a task runs once its members have ended. */
function treeOf(
  steps: readonly (TaskPlan | GroupPlan)[],
  id: string,
  context: CompileContext,
  isInner = false,
): TaskTree {
  const before = steps.slice(0, -1);
  const plan = steps.at(-1) as TaskPlan | GroupPlan;
  const step = before.length;
  const beforeId = memberId(id, 0, queueOfSteps(before) ?? context.queue);
  const first = before.length > 0 ? [treeOf(before, beforeId, context, true)] : [];
  const note: WorkflowNote = {
    ...(step > 0 && { after: true, step }),
    ...(step > 0 && !isInner && { last: true }),
    ...(plan.onSuccess && { onSuccess: toJsonPlans(plan.onSuccess) }),
    ...(plan.onError && { onError: toJsonPlans(plan.onError) }),
  };
  return 'group' in plan ? groupTree(plan, id, context, first, note) : taskTree(plan, id, context, first, note);
}

function taskTree(
  plan: TaskPlan,
  id: string,
  context: CompileContext,
  members: TaskTree[],
  note: WorkflowNote,
): TaskTree {
  refuseLoneTask(plan);
  return {
    id,
    name: plan.task,
    queue: plan.queue,
    args: plan.args,
    headers: { ...context.headers, ...plan.headers },
    options: optionsOf(plan, context.now),
    members,
    root: context.root,
    note: {
      ...note,
      ...(members.length > 0 && !plan.immutable && !plan.each && { piped: true }),
      ...(plan.each && { each: true }),
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
  return {
    id,
    name: GROUP_TASK,
    queue: queueOf({ group }) ?? context.queue,
    args: [],
    headers: context.headers,
    options: {},
    members,
    root: context.root,
    note: { ...note, group: { ...(onFailure && { onFailure }), ...(waits && { later: toJsonPlans(group) }) } },
  };
}

/** The member of a group, with the group's rule for a failed member. */
export function withFailure(member: TaskTree, onFailure: 'collect' | undefined): TaskTree {
  return onFailure === 'collect' ? { ...member, onFailure: 'wait' } : member;
}

function queueOfSteps(steps: readonly Plan[]): string | undefined {
  const last = steps.at(-1);
  return last && queueOf(last);
}

function optionsOf({ options, delay, expires }: TaskPlan, now: number): CallOptions {
  return {
    ...options,
    ...(delay !== undefined && { startAt: timeOf(delay, now) }),
    ...(expires !== undefined && { expiresAt: timeOf(expires, now) }),
  };
}

function timeOf(moment: Moment, now: number): number {
  return typeof moment === 'number' ? now + moment : moment.at;
}
