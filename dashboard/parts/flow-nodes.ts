import type { GraphTask } from '../../lib/dashboard/api/api-types.js';

/** A node of a drawn workflow: one task, or a group of like ones. */
export interface FlowNode {
  readonly id: string;
  readonly title: string;
  readonly sub: string;
  readonly state: string;
  readonly after: readonly string[];
  readonly tasks: readonly GraphTask[];
}

/** Tasks of one name between the same tasks are drawn as one stacked node from this number on. */
const FOLD_FROM = 5;
/** The worst state comes first: it is the one of a stacked node. */
const ORDER = ['failed', 'running', 'retrying', 'queued', 'scheduled', 'waiting', 'cancelled', 'expired', 'succeeded'];

export function foldAlike(tasks: readonly GraphTask[]): FlowNode[] {
  const usedBy = new Map<string, string[]>();
  for (const { id, after } of tasks)
    for (const before of after) usedBy.set(before, [...(usedBy.get(before) ?? []), id]);
  const alike = new Map<string, GraphTask[]>();
  for (const task of tasks) {
    const name = task.status?.name ?? (task.kind === 'group' ? 'group' : '');
    const key = task.kind === 'group' ? task.id : JSON.stringify([name, task.after, usedBy.get(task.id) ?? []]);
    alike.set(key, [...(alike.get(key) ?? []), task]);
  }
  const nodeOf = new Map<string, string>();
  const nodes: FlowNode[] = [];
  for (const group of alike.values()) {
    const parts = group.length >= FOLD_FROM ? [group] : group.map((task) => [task]);
    for (const part of parts) {
      const [first] = part as [GraphTask];
      for (const { id } of part) nodeOf.set(id, first.id);
      nodes.push(toNode(part));
    }
  }
  const places = new Map(tasks.map(({ id }, place) => [id, place]));
  return nodes
    .map((node) => ({ ...node, after: [...new Set(node.after.map((id) => nodeOf.get(id) ?? id))] }))
    .toSorted((one, other) => (places.get(one.id) ?? 0) - (places.get(other.id) ?? 0));
}

function toNode(tasks: readonly GraphTask[]): FlowNode {
  const [first] = tasks as [GraphTask];
  const { id, after, status, kind } = first;
  const states = tasks.map((task) => task.status?.state ?? 'waiting');
  const name = kind === 'group' ? 'all of the group' : (status?.name ?? 'to come');
  if (tasks.length === 1) return { id, title: name, sub: describe(first), state: states[0] as string, after, tasks };
  const counts = ORDER.map((state) => [state, states.filter((one) => one === state).length] as const).filter(
    ([, amount]) => amount > 0,
  );
  const [worst] = counts[0] ?? ['waiting'];
  return {
    id,
    title: `${tasks.length} × ${name}`,
    sub: counts.map(([state, amount]) => `${amount} ${state}`).join(', '),
    state: worst,
    after,
    tasks,
  };
}

function describe({ status, kind }: GraphTask): string {
  if (!status) return 'not stored yet';
  const { state, attempt, maxAttempts, error } = status;
  if (state === 'failed') return error ? error.name : `failed after ${attempt}`;
  if (state === 'running' && attempt > 1) return `attempt ${attempt} of ${maxAttempts}`;
  return kind === 'group' && state === 'waiting' ? 'waits for its tasks' : state;
}
