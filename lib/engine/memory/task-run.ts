import { isCancellation } from '../failures.js';
import { storableText, type Json } from '../json.js';
import { writeLogLine } from '../log-line.js';
import type { Delivery, Outcome } from '../ports/worker-port.js';
import type { Retention } from '../retention.js';
import type { RunningTask } from '../running-tasks.js';
import type { TaskFailure } from '../task.js';
import type { WorkflowNote } from '../workflow-note.js';
import { KeptLines } from './kept-lines.js';
import { failedMemberOf, resultsOf } from './members.js';
import { addToHistory, attemptOf, workflowPart, type StoredTask } from './stored-task.js';
import type { TaskStore } from './task-store.js';

/** What a run needs of its engine. */
export interface RunPlace {
  /** How many lines are kept of the log of each task. */
  readonly logLines: number;
  now(): number;
  /** Called once, before the method of the task is called. */
  readonly onStart: () => void;
  /** Called after progress was stored. */
  readonly onReport: () => void;
}

/** The delivery of a task that a worker has just taken. */
export function toDelivery(
  task: StoredTask,
  run: RunningTask,
  { logLines, now, onStart, onReport }: RunPlace,
): Delivery {
  const { mark, workflow } = task;
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
    returns: task.returns + Math.max(task.starts - task.looks - task.attempts - 1, 0),
    abandoned: task.abandoned,
    reruns: task.reruns,
    enqueuedAt: task.enqueuedAt,
    ...(note && { note }),
    root: workflow?.root ?? task.id,
    memberCount: workflow?.members.length ?? 0,
    members: async () => resultsOf(task),
    failedMember: async (count) => failedMemberOf(task, count),
    started: () => {
      if (run.hasStarted) return;
      run.hasStarted = true;
      onStart();
    },
    mark: (text) => {
      if (task.run === run) task.mark = text;
    },
    markBefore: () => mark,
    interruption: run.interruption,
    progress: (value) =>
      whileItCounts(() => {
        task.progress = JSON.stringify(value);
        onReport();
      }),
    log: (text, level) =>
      whileItCounts(() => {
        task.log ??= new KeptLines();
        task.log.add(writeLogLine(now(), level, text), logLines);
      }),
  };
}

/** Stores how a run ended. */
export function storeOutcome(store: TaskStore, task: StoredTask, outcome: Outcome, retention: Retention): void {
  const hasStarted = task.run?.hasStarted ?? true;
  task.run = undefined;
  // The attempt and the task end at the same time.
  const at = store.now();
  if (hasStarted) remember(task, outcome, at);
  if (outcome.kind === 'succeeded') return store.succeed(task, outcome.result, retention, at);
  if (task.cancelled?.again) return store.revive(task);
  if (outcome.kind === 'failed') return store.fail(task, storable(outcome.failure), retention, at);
  // The request came after the run had ended, and interrupted nothing.
  if (task.cancelled) return store.cancel(task, task.cancelled.reason, retention);
  if (outcome.kind === 'retry') {
    task.attempts++;
    task.failure = storable(outcome.failure);
  } else {
    if (outcome.note) (task.workflow ??= workflowPart()).note = JSON.stringify(outcome.note);
    if (!hasStarted) task.looks++;
    if (!hasStarted && !outcome.note) task.returns++;
  }
  if (outcome.kind === 'waiting') return store.waitForMembers(task, outcome.members, outcome.note);
  if (outcome.delay > 0) return store.delay(task, outcome.delay);
  store.queue(task, outcome.kind === 'retry' ? 'back' : 'front');
}

/** A method that was put off has made no attempt. */
function remember(task: StoredTask, outcome: Outcome, endedAt: number): void {
  if (outcome.kind === 'postponed' || outcome.kind === 'waiting') return;
  const error = outcome.kind === 'succeeded' ? null : storable(outcome.failure);
  addToHistory(task, attemptOf(task, { endedAt, error, outcome: isCancellation(error) ? 'cancelled' : outcome.kind }));
}

/** A copy without the characters that the other engines do not store either. */
function storable(failure: TaskFailure): TaskFailure {
  const { message, stack } = failure;
  const texts = { message: storableText(message), ...(stack !== undefined && { stack: storableText(stack) }) };
  return JSON.parse(JSON.stringify({ ...failure, ...texts })) as TaskFailure;
}
