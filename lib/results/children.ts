import type { Engine, TaskRecord, TaskState } from '../engine/engine.js';
import { memberIds } from '../engine/task-id.js';

/** A member of a workflow, as far as it is known. */
export interface Child {
  readonly id: string;
  readonly name?: string;
  readonly state?: TaskState;
}

/** Look-ups under way at the same time. */
const LOOK_AT_ONCE = 100;

/** The steps of a chain, the members of a group; of a chain that ends with a group, the steps and then its members. */
export async function childrenOf(record: TaskRecord, engine: Pick<Engine, 'find'>): Promise<Child[]> {
  const { after, group } = (record.note ?? {}) as { after?: true; group?: object };
  const ids = memberIds(record.id, record.members);
  const before = after ? await stepsUpTo(ids[0] as string, engine) : [];
  const own = await look(after ? ids.slice(1) : ids, engine);
  return [...before, ...(group || !after ? own : [record, ...own])];
}

/** A step and those before it, which wait in it as its first member, and so on. */
async function stepsUpTo(id: string, engine: Pick<Engine, 'find'>): Promise<Child[]> {
  const steps: Child[] = [];
  for (let at: string | undefined = id; at !== undefined;) {
    const found = await engine.find(at);
    steps.unshift(found ?? { id: at });
    at = (found?.note as { after?: true } | undefined)?.after && found && memberIds(at, found.members)[0];
  }
  return steps;
}

async function look(ids: readonly string[], engine: Pick<Engine, 'find'>): Promise<Child[]> {
  const children: Child[] = [];
  for (let start = 0; start < ids.length; start += LOOK_AT_ONCE) {
    const some = ids.slice(start, start + LOOK_AT_ONCE);
    const found = await Promise.all(some.map((id) => engine.find(id)));
    children.push(...some.map((id, index) => found[index] ?? { id }));
  }
  return children;
}
