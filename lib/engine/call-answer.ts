import { failureOf } from './failures.js';
import type { Topology } from './shards/topology.js';
import { memberId, queueOfTask } from './task-id.js';
import type { TaskCall, TaskRecord, TaskTree } from './task.js';
import { DUTY_TASKS, type CallAnswer } from './workflow-note.js';
import type { IdempotencyConflictError } from '../errors.js';

/** How long an answer is kept at least. */
const KEPT = 7 * 24 * 60 * 60 * 1000;

/** The id of the answer to a call. */
export function answerId(call: string, { workflowQueue }: Topology): string {
  return memberId(call, 'answer', workflowQueue(queueOfTask(call) ?? ''));
}

/** The answer that another task stands for the call. */
export function deduplicatedAnswer(call: TaskCall, task: string, now: number, topology: Topology): TaskTree {
  return toTask(topology, call, { name: call.name, queue: call.queue, at: now, task });
}

/** The answer that the call is refused. */
export function refusedAnswer(
  call: TaskCall,
  error: IdempotencyConflictError,
  now: number,
  topology: Topology,
): TaskTree {
  const failure = failureOf(error, { exposable: true });
  return toTask(topology, call, { name: call.name, queue: call.queue, at: now, failure });
}

/** The answer that a stored task contains; `undefined` when it is none. */
export function readAnswer(record: TaskRecord | undefined): CallAnswer | undefined {
  return record?.note?.answer;
}

/** A refused call, as if it were a stored task that failed. */
export function refusedRecord(id: string, { name, queue, at, failure }: CallAnswer): TaskRecord {
  return {
    id,
    name,
    queue,
    state: 'failed',
    progress: null,
    result: null,
    error: failure ?? null,
    attempt: 0,
    maxAttempts: 1,
    enqueuedAt: at,
    startedAt: null,
    finishedAt: at,
    expiresAt: at + KEPT,
    headers: {},
  };
}

function toTask(topology: Topology, { id: call, queue, options }: TaskCall, answer: CallAnswer): TaskTree {
  const id = answerId(call, topology);
  return {
    id,
    name: DUTY_TASKS.callbacks,
    queue: topology.workflowQueue(queue),
    args: [],
    headers: {},
    options: { resultTtl: Math.max(options.resultTtl ?? 0, KEPT) },
    members: [],
    root: id,
    // The callbacks of a task that is not stored: a worker of any version then does nothing and ends the task.
    note: { duty: { kind: 'callbacks', id: call, reruns: 0 }, answer },
    isShared: true,
  };
}
