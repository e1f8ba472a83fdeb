import type { Engine } from '../engine/engine.js';
import type { TaskRecord } from '../engine/task.js';
import { memberIds } from '../engine/task-id.js';

type ProgressSource = Pick<Engine, 'find' | 'countEndedMembers'>;

/**
 * Whether the progress of a record is to be counted: it is that of a whole workflow, or waits for other tasks, and its own
 * method has reported no progress.
 */
export function isUncounted({ state, progress, note }: TaskRecord): boolean {
  return progress === null && (state === 'waiting' || note?.last === true || note?.group !== undefined);
}

/** Adds the progress to the record of a workflow. Returns any other record unchanged. */
export async function withProgress(
  record: TaskRecord | undefined,
  source: ProgressSource,
): Promise<TaskRecord | undefined> {
  if (!record || !isUncounted(record)) return record;
  return { ...record, progress: await workflowProgress(record, source) };
}

/**
 * Counts the progress of a workflow: for a group, the members that ended; for a chain, the steps that ended. A
 * group in a chain counts as many steps as it has members.
 */
export async function workflowProgress(
  record: TaskRecord,
  source: ProgressSource,
): Promise<{ current: number; total: number }> {
  let current = 0;
  let total = 0;
  for (let step: TaskRecord | undefined = record; step;) {
    const { after, group } = step.note ?? {};
    const stored = countMembers(step) - (after ? 1 : 0);
    const units = group ? Math.max(stored, group.later?.length ?? 0) : 1;
    total += units;
    const isOver = step.state === 'succeeded';
    if (isOver) current += units;
    else if (group && !group.later && stored > 0)
      current += Math.max(0, (await source.countEndedMembers(step)) - (after ? 1 : 0));
    if (!after) break;
    const [before] = memberIds(
      step.id,
      step.members?.slice(0, 1).map(({ queue }) => ({ queue, count: 1 })),
    );
    step = before === undefined ? undefined : await source.find(before);
  }
  return { current, total };
}

function countMembers({ members = [] }: TaskRecord): number {
  return members.reduce((sum, range) => sum + range.count, 0);
}
