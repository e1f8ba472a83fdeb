import { inBatches } from '../concurrency.js';
import type { Engine } from '../engine/engine.js';
import { memberIds } from '../engine/task-id.js';
import type { TaskRecord } from '../engine/task.js';
import { EARLIER_GROUP_TASK, GROUP_TASK } from '../engine/workflow-note.js';
import { TaskNotFoundError } from '../errors.js';
import { toStatus, type TaskStatus } from '../results/task-status.js';
import { wrong } from './task-filter.js';

/** The look-ups that run at the same time. */
const FETCH_AT_ONCE = 100;
const MOST_TASKS = 2_000;

/** The tasks of a workflow and their order, as `TaskAdmin.workflow()` shows it. */
export interface WorkflowGraph {
  /** The id of the whole workflow: its last task. */
  readonly id: string;
  /** The tasks that were read, each after the tasks that it waits for. */
  readonly tasks: readonly WorkflowTask[];
  /** False when the workflow has more tasks than were read. */
  readonly complete: boolean;
}

export interface WorkflowTask {
  readonly id: string;
  /** `group`: the task calls no method. It gathers the results of a group. */
  readonly kind: 'task' | 'group';
  /** The ids of the tasks that it waits for. */
  readonly after: readonly string[];
  /** The status of the task; `null` while it is not stored yet, and when it is no longer stored. */
  readonly status: TaskStatus | null;
}

interface Found {
  readonly id: string;
  readonly record: TaskRecord | undefined;
  readonly after: string[];
}

/**
 * Reads a workflow from its last task to its first ones.
 *
 * @param id the id of any task of the workflow
 * @throws TaskNotFoundError
 */
export async function readWorkflow(
  id: string,
  { limit = 500 }: { readonly limit?: number | undefined },
  engine: Pick<Engine, 'find'>,
): Promise<WorkflowGraph> {
  if (!Number.isSafeInteger(limit) || limit < 1 || limit > MOST_TASKS)
    throw wrong('limit', limit, `Give a whole number from 1 to ${MOST_TASKS}.`);
  const any = await engine.find(id);
  if (!any) throw new TaskNotFoundError(id);
  const root = any.root === undefined || any.root === id ? any : await engine.find(any.root);
  if (!root) throw new TaskNotFoundError(any.root ?? id);
  const found = new Map<string, Found>();
  const waiting: Found[] = [];
  let complete = true;
  const take = (ids: readonly string[]): string[] => {
    const fresh = ids.filter((one) => !found.has(one));
    const room = Math.max(limit - found.size, 0);
    if (fresh.length > room) complete = false;
    return fresh.slice(0, room);
  };
  const add = (one: string, record: TaskRecord | undefined, after: string[]): void => {
    const entry = { id: one, record, after };
    found.set(one, entry);
    waiting.push(entry);
  };
  add(root.id, root, []);
  for (let entry = waiting.shift(); entry; entry = waiting.shift()) {
    const { record } = entry;
    const members = memberIds(entry.id, record?.members);
    if (members.length === 0) continue;
    const ids = take(members);
    const records = await inBatches(ids, FETCH_AT_ONCE, (member) => engine.find(member));
    // The members of a group that follows a step start after that step, their first sibling.
    const before = record?.note?.after && record.note.group && members.length > 1 ? members[0] : undefined;
    for (const [place, member] of ids.entries())
      add(member, records[place], before !== undefined && member !== before ? [before] : []);
    const known = new Set(ids);
    entry.after.push(...members.filter((member) => member !== before && known.has(member)));
  }
  return { id: root.id, tasks: inOrder(found, root.id), complete };
}

/** Each task after those that it waits for. */
function inOrder(found: ReadonlyMap<string, Found>, root: string): WorkflowTask[] {
  const placed = new Map<string, WorkflowTask>();
  const place = (id: string): void => {
    const entry = found.get(id);
    if (!entry || placed.has(id)) return;
    for (const before of entry.after) place(before);
    const { record, after } = entry;
    placed.set(id, {
      id,
      kind: record && [GROUP_TASK, EARLIER_GROUP_TASK].includes(record.name) ? 'group' : 'task',
      after,
      status: record ? toStatus(record) : null,
    });
  };
  place(root);
  return [...placed.values()];
}
