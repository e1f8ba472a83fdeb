import type { CallOptions, Headers, TaskTree } from '../engine/engine.js';
import type { Json } from '../engine/json.js';
import { memberId } from '../engine/task-id.js';
import { ConfigurationError } from '../errors.js';
import { GROUP_TASK, type TaskNote } from '../engine/workflow-note.js';
import { queueOf, stepsOf, type GroupPlan, type Moment, type Plan, type TaskPlan } from './plan.js';

/** What all tasks of one workflow have in common. */
export interface Compilation {
  /** Under those of each task. */
  readonly headers: Headers;
  readonly now: number;
  /** Whoever watches this task hears of all. */
  readonly root: string;
  /** The queue of a group that has no task. */
  readonly queue: string;
}

/** Makes of a plan the tree of tasks whose root gives its result. */
export function compilePlan(plan: Plan, id: string, around: Compilation): TaskTree {
  return treeOf(stepsOf(plan), id, around);
}

/** The members a plan's tasks have under `parent`, from this place on. */
export function compileMembers(plans: readonly Plan[], parent: string, from: number, around: Compilation): TaskTree[] {
  return plans.map((plan, index) =>
    compilePlan(plan, memberId(parent, from + index, queueOf(plan) ?? around.queue), around),
  );
}

/** The last step has the one before it as its member, and so on: a task runs once its members ended. */
function treeOf(steps: readonly (TaskPlan | GroupPlan)[], id: string, around: Compilation, inner = false): TaskTree {
  const before = steps.slice(0, -1);
  const plan = steps.at(-1) as TaskPlan | GroupPlan;
  const step = before.length;
  const beforeId = memberId(id, 0, queueOfSteps(before) ?? around.queue);
  const first = before.length > 0 ? [treeOf(before, beforeId, around, true)] : [];
  const note: TaskNote = {
    ...(step > 0 && { after: true, step }),
    ...(step > 0 && !inner && { last: true }),
    ...(plan.onSuccess && { onSuccess: plan.onSuccess }),
    ...(plan.onError && { onError: plan.onError }),
  };
  return 'group' in plan ? groupTree(plan, id, around, first, note) : taskTree(plan, id, around, first, note);
}

function taskTree(plan: TaskPlan, id: string, around: Compilation, members: TaskTree[], note: TaskNote): TaskTree {
  if (plan.alone !== undefined) {
    throw new ConfigurationError(`Task "${plan.task}" ${plan.alone}, so it cannot be part of a workflow.`);
  }
  return {
    id,
    name: plan.task,
    queue: plan.queue,
    args: plan.args,
    headers: { ...around.headers, ...plan.headers },
    options: optionsOf(plan, around.now),
    members,
    root: around.root,
    note: asJson({
      ...note,
      ...(members.length > 0 && !plan.immutable && !plan.each && { piped: true }),
      ...(plan.each && { each: true }),
    }),
  };
}

function groupTree(
  { group, onFailure }: GroupPlan,
  id: string,
  around: Compilation,
  first: TaskTree[],
  note: TaskNote,
): TaskTree {
  const waits = first.length > 0;
  const members = waits ? first : compileMembers(group, id, 0, around).map((member) => withFailure(member, onFailure));
  return {
    id,
    name: GROUP_TASK,
    queue: queueOf({ group }) ?? around.queue,
    args: [],
    headers: around.headers,
    options: {},
    members,
    root: around.root,
    note: asJson({ ...note, group: { ...(onFailure && { onFailure }), ...(waits && { later: group }) } }),
  };
}

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

function asJson(note: TaskNote): Json {
  return note as unknown as Json;
}
