import { WorkflowFailedError } from '../errors.js';
import { failureOf } from '../engine/failures.js';
import type { MemberResult, TaskFailure } from '../engine/task.js';
import { GROUP_TASK, type WorkflowNote } from '../engine/workflow-note.js';

type Failed = Extract<MemberResult, { state: 'failed' }>;

/**
 * The failure of a workflow whose member failed. It names the innermost member that failed, however deeply it is
 * nested.
 *
 * @param workflow the task that fails with this failure
 * @param position the place of the member in its own chain or group, 0 for the first
 */
export function failureOfMember(
  workflow: { readonly id: string; readonly name: string },
  { id, task, failure }: Failed,
  position: number,
): TaskFailure {
  if (failure.member) return failure;
  const { name, message, code, exposable } = failure;
  const what = task === GROUP_TASK ? 'the group' : `member ${task}`;
  const member = { id, task, position, error: { name, message, ...(code !== undefined && { code }) } };
  const text = `The workflow failed because of ${what} (${id}), number ${position + 1}: ${message}`;
  return failureOf(new WorkflowFailedError(workflow.id, workflow.name, text, member), {
    ...(exposable && { exposable }),
    member,
  });
}

/** A failed step is named by its place in the chain, a failed member of a group or a map by its place there. */
export function positionOf(place: number, { after, step = 0, items }: WorkflowNote): number {
  const item = items?.findIndex((state) => state && 'member' in state && state.member === place) ?? -1;
  if (item >= 0) return item;
  if (!after) return place;
  return place === 0 ? step - 1 : place - 1;
}
