import { removedMember } from '../failures.js';
import type { Json } from '../json.js';
import type { FailedMemberResult } from '../ports/worker-port.js';
import type { FailedResult, MemberResult } from '../task.js';
import { hasEnded, workflowPart, type StoredTask } from './stored-task.js';

/** Makes a task wait for another one. A task that it waits for already is left as it is. */
export function linkMember(parent: StoredTask, member: StoredTask): void {
  const whole = (parent.workflow ??= workflowPart());
  const part = (member.workflow ??= workflowPart());
  if (part.parent === parent) return;
  part.parent = parent;
  whole.members.push(member);
  const last = whole.ranges.at(-1);
  if (last?.queue === member.queue) last.count++;
  else whole.ranges.push({ queue: member.queue, count: 1 });
  if (!hasEnded(member)) whole.unended++;
}

/** Whether a member failed whose parent does not wait for the others then. */
export function hasFailedMember({ workflow }: StoredTask): boolean {
  return workflow?.members.some(({ place, workflow: part }) => isFailed(place) && part?.onFailure !== 'wait') ?? false;
}

/** See `Delivery.failedMember`. */
export function failedMemberOf(task: StoredTask, count: number): FailedMemberResult | undefined {
  const results = resultsOf(task);
  const place = results.slice(0, count).findIndex(({ state }) => state === 'failed');
  if (place === -1) return undefined;
  const unfinished = results.filter(({ state }) => state === 'unfinished').map(({ id }) => id);
  return { place, member: results[place] as FailedResult, unfinished };
}

/** The results of a task's members so far, in order. */
export function resultsOf({ workflow }: StoredTask): MemberResult[] {
  return (workflow?.members ?? []).map((member): MemberResult => {
    const { id, place, name: task, failure, result } = member;
    if (place === 'succeeded') {
      return { id, state: 'succeeded', value: result === undefined ? null : (JSON.parse(result) as Json) };
    }
    if (place === 'removed') return { id, state: 'failed', task: 'that was removed', failure: removedMember(id) };
    if (place === 'failed' && failure) return { id, state: 'failed', task, failure };
    return { id, state: 'unfinished' };
  });
}

function isFailed(place: StoredTask['place']): boolean {
  return place === 'failed' || place === 'removed';
}
