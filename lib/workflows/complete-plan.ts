import { sizeBeyond, type Json } from '../engine/json.js';
import { PayloadTooLargeError } from '../errors.js';
import { stepsOf, tasksOf, withInput, type Plan, type TaskPlan } from './plan.js';

/**
 * The plan with an earlier result as the first argument of the tasks that start first.
 *
 * @param maxPayload bytes of JSON that the arguments of one task may have
 * @throws PayloadTooLargeError when the arguments of a task are larger with the result
 */
export function completePlan(plan: Plan, value: Json, maxPayload: number): Plan {
  const complete = withInput(plan, value);
  for (const { task, args } of completeTasks(complete)) checkArguments(task, args, maxPayload);
  return complete;
}

/** @throws PayloadTooLargeError */
export function checkArguments(task: string, args: readonly Json[], maxPayload: number): void {
  const size = sizeBeyond(args, maxPayload);
  if (size !== undefined) throw new PayloadTooLargeError(`The arguments of task "${task}"`, size, maxPayload);
}

/** The tasks whose arguments are complete: they get no earlier result. */
export function completeTasks(plan: Plan): TaskPlan[] {
  const [first, ...rest] = stepsOf(plan);
  const later = rest.flatMap((step) => [...tasksOf(step)]).filter(({ immutable, each }) => immutable || each);
  if (!first) return later;
  return [...('group' in first ? first.group.flatMap(completeTasks) : [first]), ...later];
}
