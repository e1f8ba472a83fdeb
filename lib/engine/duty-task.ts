import type { TaskRecord, TaskTree } from './task.js';
import type { Topology } from './shards/topology.js';
import { memberId, queueOfTask } from './task-id.js';
import { DUTY_TASKS, type Duty } from './workflow-note.js';

/**
 * Milliseconds that the workers have to fail a workflow whose member failed, before a duty does it. They need a few, unless the
 * queue is paused, no worker takes from it, or other tasks wait there before the workflow.
 */
export const WORKERS_FIRST = 100;
/**
 * Milliseconds after which an expiry first looks whether its task has ended, so that it does not stay until a distant expiry. Each
 * further look comes after twice the time.
 */
export const FIRST_LOOK = 60_000;

/**
 * The task that does a duty. It is stored before the end of the task that left the duty behind, and does nothing until that
 * end is stored. So it is done once for each final end: also when a process dies in between, or when the end is lost and
 * another process stores another one.
 */
export function dutyTask(duty: Duty, { workflowQueue }: Topology): TaskTree {
  const queue = workflowQueue(queueOfTask(duty.id) ?? '');
  const id = memberId(duty.id, `${duty.kind}:${endOf(duty)}`, queue);
  return {
    id,
    name: DUTY_TASKS[duty.kind],
    queue,
    args: [],
    headers: {},
    options: {},
    members: [],
    root: id,
    note: { duty },
  };
}

/** What tells apart the ends of one task that leave a duty of the same kind behind. */
function endOf({ kind, at, ofMembers, reruns }: Duty): string {
  // A task expires once, however often a caller runs it again, but its members may expire one after the other.
  if (kind === 'expiry') return `${ofMembers ? 'members:' : ''}${at}`;
  return kind === 'run again' ? `${reruns}:${at}` : `${reruns}`;
}

/**
 * The tasks that report what expires in a tree while no worker takes it: its queue is paused, or has no worker. An expiry concerns
 * the task that waits for the expired one, and the task itself when it has an `onError`.
 */
export function expiryDuties(tree: TaskTree, now: number, topology: Topology): TaskTree[] {
  return Array.from(expiriesOf(tree, false), (duty) => expiryDuty(duty, now, topology));
}

/** The same for members that are added to a task. */
export function expiryDutiesOf(id: string, members: readonly TaskTree[], now: number, topology: Topology): TaskTree[] {
  return Array.from(expiriesOfMembers(id, members), (duty) => expiryDuty(duty, now, topology));
}

type Expiry = Duty & { readonly at: number };

function expiryDuty(duty: Expiry, now: number, topology: Topology): TaskTree {
  const startAt = Math.min(duty.at + WORKERS_FIRST, now + FIRST_LOOK);
  return { ...dutyTask(duty, topology), options: { startAt } };
}

function* expiriesOf(tree: TaskTree, isMember: boolean): Generator<Expiry, void, undefined> {
  const { id, members } = tree;
  const at = expiryThatMatters(tree, isMember);
  if (at !== undefined) yield { kind: 'expiry', id, at, reruns: 0 };
  yield* expiriesOfMembers(id, members);
}

/** Members without members of their own share one duty for each time, because a group may have thousands. */
function* expiriesOfMembers(id: string, members: readonly TaskTree[]): Generator<Expiry, void, undefined> {
  const times = new Set<number>();
  for (const member of members) {
    if (member.members.length > 0) yield* expiriesOf(member, true);
    else times.add(expiryThatMatters(member, true) ?? Infinity);
  }
  times.delete(Infinity);
  for (const at of times) yield { kind: 'expiry', id, at, ofMembers: true, reruns: 0 };
}

function expiryThatMatters({ options, onFailure, note }: TaskTree, isMember: boolean): number | undefined {
  const isHeard = (isMember && onFailure !== 'wait') || note?.onError !== undefined;
  return isHeard ? options.expiresAt : undefined;
}

/** The task that fails the workflow of a member whose failure is about to be stored; `undefined` when the workflow goes on. */
export function failureDuty(
  { id, whole, reruns = 0 }: Pick<TaskRecord, 'id' | 'whole' | 'reruns'>,
  now: number,
  topology: Topology,
): TaskTree | undefined {
  if (whole === undefined) return undefined;
  return {
    ...dutyTask({ kind: 'fail wholes', id, whole, reruns }, topology),
    options: { startAt: now + WORKERS_FIRST },
  };
}

/**
 * The task that runs another one again whose run was cancelled and has not ended. The worker of that run does so itself, unless it dies
 * right after it has stored the end.
 *
 * @param cancelledAt the time of the cancellation
 */
export function retryDuty(
  { id, reruns = 0 }: Pick<TaskRecord, 'id' | 'reruns'>,
  cancelledAt: number,
  now: number,
  topology: Topology,
): TaskTree {
  const duty = dutyTask({ kind: 'run again', id, at: cancelledAt, reruns }, topology);
  return { ...duty, options: { startAt: now + WORKERS_FIRST } };
}
