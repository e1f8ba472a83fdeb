import { isQueueName } from '../engine/task-id.js';
import type { WorkflowNote } from '../engine/workflow-note.js';

/**
 * Why the plans that a task stores for later are none; `undefined` when they are. Anything may stand in a store, and a
 * plan is compiled only after the task before it ran.
 */
export function unreadablePlans({ group, onSuccess, onError }: WorkflowNote): string | undefined {
  const plans = { 'group.later': group?.later, onSuccess, onError };
  const broken = Object.entries(plans).find(([, list]) => list !== undefined && !arePlans(list));
  return broken && `data.note.${broken[0]} contains something else than plans`;
}

function arePlans(value: unknown): boolean {
  return Array.isArray(value) && value.every(isPlan);
}

/** Plans are JSON, so they are not deeper than JSON may be, and this function may call itself. */
function isPlan(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { onSuccess = [], onError = [] } = value;
  if (!arePlans(onSuccess) || !arePlans(onError)) return false;
  if ('chain' in value) return arePlans(value['chain']);
  return 'group' in value ? arePlans(value['group']) : isTaskPlan(value);
}

function isTaskPlan({ task, queue, args, options = {}, headers = {}, delay = 0, expires = 0 }: Fields): boolean {
  return (
    typeof task === 'string' &&
    typeof queue === 'string' &&
    isQueueName(queue) &&
    Array.isArray(args) &&
    [options, headers].every(isObject) &&
    [delay, expires].every(isMoment)
  );
}

function isMoment(value: unknown): boolean {
  return Number.isFinite(isObject(value) ? value['at'] : value);
}

type Fields = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
