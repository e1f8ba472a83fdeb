import { inBatches } from '../concurrency.js';
import type { Engine } from '../engine/engine.js';
import type { TaskRecord, TaskState } from '../engine/task.js';
import { memberIds } from '../engine/task-id.js';

/** A member of a workflow. It has no name and no state while it is not stored yet, and when it is no longer stored. */
export interface Child {
  readonly id: string;
  readonly name?: string;
  readonly state?: TaskState;
}

/** The number of lookups that run at the same time. */
const FETCH_AT_ONCE = 100;

/**
 * Returns the steps of a chain, or the members of a group. For a chain that ends with a group: the steps, then the
 * members of that group.
 *
 * @param most the most members of the group; default: all
 */
export async function childrenOf(record: TaskRecord, engine: Pick<Engine, 'find'>, most?: number): Promise<Child[]> {
  const { after, group } = record.note ?? {};
  const ids = memberIds(record.id, record.members);
  const before = after ? await stepsUpTo(ids[0] as string, engine) : [];
  const own = await inBatches(ids.slice(after ? 1 : 0, most), FETCH_AT_ONCE, async (id): Promise<Child> => {
    return (await engine.find(id)) ?? { id };
  });
  return [...before, ...(group || !after ? own : [record, ...own])];
}

/** Returns a step and all steps before it. The first member of a step is the step before it. */
async function stepsUpTo(id: string, engine: Pick<Engine, 'find'>): Promise<Child[]> {
  const steps: Child[] = [];
  for (let at: string | undefined = id; at !== undefined;) {
    const found = await engine.find(at);
    steps.unshift(found ?? { id: at });
    at = found?.note?.after && memberIds(at, found.members)[0];
  }
  return steps;
}
