import { storableText, type Json } from '../json.js';
import type { Delivery, Outcome } from '../ports/worker-port.js';
import type { Retention } from '../retention.js';
import type { RunningTask } from '../running-tasks.js';
import type { TaskFailure } from '../task.js';
import type { WorkflowNote } from '../workflow-note.js';
import { failedMemberOf, resultsOf } from './members.js';
import { workflowPart, type StoredTask } from './stored-task.js';
import type { TaskStore } from './task-store.js';

/** Lines kept of a task's log. */
const LINES_KEPT = 1_000;

/** The delivery of a task that has just started. @param onReport called after progress was stored */
export function toDelivery(task: StoredTask, run: RunningTask, onReport: () => void): Delivery {
  const { workflow } = task;
  const note = workflow?.note === undefined ? undefined : (JSON.parse(workflow.note) as WorkflowNote);
  // A method that goes on after its run was given up writes nothing more.
  const whileItCounts = async (write: () => void) => {
    if (task.run === run) write();
  };
  return {
    id: task.id,
    name: task.name,
    queue: task.queue,
    args: JSON.parse(task.args) as Json[],
    headers: { ...task.headers },
    options: task.options,
    attempt: task.attempts + 1 + (note?.tried ?? 0),
    starts: task.starts - task.looks,
    abandoned: task.abandoned,
    reruns: task.reruns,
    enqueuedAt: task.enqueuedAt,
    ...(note && { note }),
    root: workflow?.root ?? task.id,
    memberCount: workflow?.members.length ?? 0,
    members: async () => resultsOf(task),
    failedMember: async (count) => failedMemberOf(task, count),
    started: () => (run.hasStarted = true),
    interruption: run.interruption,
    progress: (value) =>
      whileItCounts(() => {
        task.progress = JSON.stringify(value);
        onReport();
      }),
    log: (line) =>
      whileItCounts(() => {
        const lines = (task.log ??= []);
        lines.push(line);
        if (lines.length > LINES_KEPT) lines.shift();
      }),
  };
}

/** Stores how a run ended. */
export function storeOutcome(store: TaskStore, task: StoredTask, outcome: Outcome, retention: Retention): void {
  const hasStarted = task.run?.hasStarted ?? true;
  task.run = undefined;
  if (outcome.kind === 'succeeded') return store.succeed(task, outcome.result, retention);
  if (outcome.kind === 'failed') return store.fail(task, storable(outcome.failure), retention);
  // The request came after the run had ended, and interrupted nothing.
  if (task.cancelled) return store.cancel(task, task.cancelled.reason, retention);
  if (outcome.kind === 'retry') {
    task.attempts++;
    task.failure = storable(outcome.failure);
  } else if (outcome.note) {
    (task.workflow ??= workflowPart()).note = JSON.stringify(outcome.note);
    if (!hasStarted) task.looks++;
  }
  if (outcome.kind === 'waiting') return store.waitForMembers(task, outcome.members, outcome.note);
  if (outcome.delay > 0) return store.delay(task, outcome.delay);
  store.queue(task, outcome.kind === 'retry' ? 'back' : 'front');
}

/** A copy without the characters that the other engines do not store either. */
function storable(failure: TaskFailure): TaskFailure {
  const { message, stack } = failure;
  const texts = { message: storableText(message), ...(stack !== undefined && { stack: storableText(stack) }) };
  return JSON.parse(JSON.stringify({ ...failure, ...texts })) as TaskFailure;
}
