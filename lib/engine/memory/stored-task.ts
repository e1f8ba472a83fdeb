import { ATTEMPTS_KEPT, type AttemptRecord } from '../attempt.js';
import type { CallOptions, Headers, TaskCall, TaskFailure, TaskTree, Uniqueness } from '../task.js';
import type { WorkflowNote } from '../workflow-note.js';
import type { RunningTask } from '../running-tasks.js';
import type { HeapItem } from './heap.js';
import type { KeptLines } from './kept-lines.js';

/** Where a task is kept. Its state follows from this place and a few times: see task-to-record.ts. */
export type Place = 'queued' | 'delayed' | 'running' | 'waiting' | 'succeeded' | 'failed' | 'removed';

/** A stored task. Values of the application are JSON texts, so that caller and task share nothing. */
export interface StoredTask extends HeapItem {
  readonly id: string;
  readonly name: string;
  readonly queue: string;
  args: string;
  readonly headers: Headers;
  options: CallOptions;
  readonly unique: Uniqueness | undefined;
  readonly enqueuedAt: number;
  /** Changed by `TaskStore` only. */
  place: Place;
  /** Sorts queued tasks of equal priority. */
  order: number;
  /** Of a delayed task: the time at which it is queued. Of a final task: the time at which it is removed. */
  due: number;
  /** The attempts that have ended and count. */
  attempts: number;
  /** How often a worker took the task. */
  starts: number;
  /** How often a worker took it and did not call its method: members or a delay were not over yet, or it gave the task back. */
  looks: number;
  /** How many of the looks gave the task back. */
  returns: number;
  /** How often a caller ran the task again after its end. */
  reruns: number;
  /** How often a worker gave the task up while it ran. */
  abandoned: number;
  startedAt: number | null;
  finishedAt: number | null;
  progress: string | undefined;
  result: string | undefined;
  failure: TaskFailure | undefined;
  /** The last attempts that have ended; `undefined` before the first. */
  history: AttemptRecord[] | undefined;
  /** The worker that took the task last. */
  worker: string | null;
  /** The run whose outcome counts; `undefined` while the task does not run. */
  run: RunningTask | undefined;
  /** See `Delivery.mark`. */
  mark: string | undefined;
  /** A caller cancelled the task while it ran. `again`: and then asked to run it again, once that run has ended. */
  cancelled: { readonly reason: string | undefined; readonly again?: true } | undefined;
  /** Only of tasks that belong to a workflow. */
  workflow: WorkflowPart | undefined;
  /** `undefined` when the task has written no line. */
  log: KeptLines | undefined;
}

/** What only tasks of workflows have. */
export interface WorkflowPart {
  readonly root: string | undefined;
  readonly onFailure: TaskTree['onFailure'];
  /** The task that waits for this one. */
  parent: StoredTask | undefined;
  /** JSON of the note; `undefined` without one. */
  note: string | undefined;
  /** The members' queues, as records tell them. */
  readonly ranges: { queue: string; count: number }[];
  readonly members: StoredTask[];
  /** The number of members that have not ended. */
  unended: number;
}

/** The task of a call, not yet in any place. */
export function toStoredTask(call: TaskCall | TaskTree, now: number): StoredTask {
  const { id, name, queue, args, headers, options, unique } = call;
  return {
    id,
    name,
    queue,
    args: JSON.stringify(args),
    headers: { ...headers },
    options,
    unique,
    enqueuedAt: now,
    place: 'waiting',
    order: 0,
    due: 0,
    position: -1,
    attempts: 0,
    starts: 0,
    looks: 0,
    returns: 0,
    reruns: 0,
    abandoned: 0,
    startedAt: null,
    finishedAt: null,
    progress: undefined,
    result: undefined,
    failure: undefined,
    history: undefined,
    worker: null,
    run: undefined,
    mark: undefined,
    cancelled: undefined,
    workflow: 'members' in call ? workflowPart(call) : undefined,
    log: undefined,
  };
}

export function workflowPart({ root, onFailure, note }: Partial<TaskTree> = {}): WorkflowPart {
  return {
    root,
    onFailure,
    parent: undefined,
    note: note === undefined || Object.keys(note).length === 0 ? undefined : JSON.stringify(note),
    ranges: [],
    members: [],
    unended: 0,
  };
}

/** Whether a task is in one of the places that it leaves only by `retry` or by its removal. */
export function hasEnded({ place }: StoredTask): boolean {
  return place === 'succeeded' || place === 'failed' || place === 'removed';
}

/** The attempt that runs, or has just ended so. */
export function attemptOf(
  task: StoredTask,
  { endedAt, outcome, error }: Pick<AttemptRecord, 'endedAt' | 'outcome' | 'error'>,
): AttemptRecord {
  const { attempts, startedAt, worker, workflow } = task;
  const tried = workflow?.note === undefined ? 0 : ((JSON.parse(workflow.note) as WorkflowNote).tried ?? 0);
  return { number: attempts + 1 + tried, startedAt, endedAt, outcome, error, worker };
}

/** Remembers an attempt that has ended. */
export function addToHistory(task: StoredTask, attempt: AttemptRecord): void {
  task.history ??= [];
  task.history.push(attempt);
  if (task.history.length > ATTEMPTS_KEPT) task.history.shift();
}
