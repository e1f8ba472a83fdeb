import type { TaskRecord, TaskTree } from './task.js';
import type { Topology } from './shards/topology.js';
import { memberId, queueOfTask } from './task-id.js';
import { DUTY_TASKS, type Duty } from './workflow-note.js';

/**
 * Milliseconds that the workers have to fail a workflow whose member failed, before a duty does it. They need a few, unless the
 * queue is paused, no worker takes from it, or other tasks wait there before the workflow.
 */
const WORKERS_FIRST = 100;

/**
 * The task that does a duty. It is stored before the end of the task that left the duty behind, and does nothing until that
 * end is stored. So it is done once for each final end: also when a process dies in between, or when the end is lost and
 * another process stores another one.
 */
export function dutyTask(duty: Duty, { workflowQueue }: Topology): TaskTree {
  const queue = workflowQueue(queueOfTask(duty.id) ?? '');
  const id = memberId(duty.id, `${duty.kind}:${duty.reruns}`, queue);
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
