import type { Engine, TaskRecord } from '../engine/engine.js';
import { memberIds } from '../engine/task-id.js';

/** What the note of a task says about how far its workflow is: the rest of a note is nobody's business here. */
interface ProgressNote {
  /** The first member is the step before. */
  readonly after?: true;
  /** Members that are not stored yet. */
  readonly group?: { readonly later?: readonly unknown[] };
}

/** Whom progress is counted with. */
export type ProgressSource = Pick<Engine, 'find' | 'countEnded'>;

/** The record with how far it is, when it is a workflow that waits. */
export async function withProgress(
  record: TaskRecord | undefined,
  source: ProgressSource,
): Promise<TaskRecord | undefined> {
  if (record?.state !== 'waiting' || record.progress !== null) return record;
  return { ...record, progress: await workflowProgress(record, source) };
}

/**
 * How far a waiting workflow is: of a group, members that ended; of a chain, steps that ended, where a group counts as
 * many as it has members.
 */
export async function workflowProgress(
  record: TaskRecord,
  source: ProgressSource,
): Promise<{ current: number; total: number }> {
  let current = 0;
  let total = 0;
  for (let step: TaskRecord | undefined = record; step;) {
    const { after, group } = (step.note ?? {}) as ProgressNote;
    const stored = count(step) - (after ? 1 : 0);
    const units = group ? Math.max(stored, group.later?.length ?? 0) : 1;
    total += units;
    const isOver = step.state === 'succeeded';
    if (isOver) current += units;
    else if (group && !group.later && stored > 0)
      current += Math.max(0, (await source.countEnded(step)) - (after ? 1 : 0));
    if (!after) break;
    const [before] = memberIds(
      step.id,
      step.members?.slice(0, 1).map(({ queue }) => ({ queue, count: 1 })),
    );
    step = before === undefined ? undefined : await source.find(before);
  }
  return { current, total };
}

function count({ members = [] }: TaskRecord): number {
  return members.reduce((sum, range) => sum + range.count, 0);
}
