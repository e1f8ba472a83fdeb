import type { TaskChangeType } from '../ports/event-port.js';
import type { Outcome } from '../ports/worker-port.js';
import type { CountedEvent } from '../statistics/figures.js';
import type { CountedTimes, TaskCounter } from '../statistics/task-counter.js';
import type { Retention } from '../retention.js';
import { failureDuty } from '../duty-task.js';
import { cancellation, failsByItself } from '../failures.js';
import type { Topology } from '../shards/topology.js';
import type { TaskChanges } from '../task-changes.js';
import { isFinal, type TaskCall, type TaskFailure, type TaskRecord, type TaskTree } from '../task.js';
import { hasEnded, type StoredTask } from './stored-task.js';
import { storeOutcome } from './task-run.js';
import type { TaskStore } from './task-store.js';
import { stateOf } from './task-to-record.js';

export interface MemoryChangesDeps {
  readonly store: TaskStore;
  readonly changes: TaskChanges;
  readonly retention: Retention;
  readonly recordOf: (task: StoredTask) => TaskRecord | undefined;
  readonly now: () => number;
  readonly counter: Pick<TaskCounter, 'count'> | undefined;
  readonly topology: Topology;
}

/**
 * Changes tasks for one application, and tells its listeners. Several applications may share a store, and a change is told
 * only where it was made.
 */
export class MemoryChanges {
  constructor(private readonly deps: MemoryChangesDeps) {}

  /** Stores a call, or a tree with all its members. A task whose id is stored is left as it is. */
  add(call: TaskCall | TaskTree): void {
    const { store, changes, now } = this.deps;
    const isNew = !store.find(call.id);
    store.add(call);
    if (!isNew) return;
    // One process has the store, so the calls that several processes may store are counted here, too.
    const { isShared: _, ...own } = call;
    changes.emitEnqueued(own, now());
  }

  /** Ends a task that does not run. */
  cancel(task: StoredTask, reason: string | undefined): void {
    this.deps.store.cancel(task, reason, this.deps.retention);
    this.deps.counter?.count('cancelled', task.queue, task.name, this.deps.now());
    this.emit('cancelled', task);
  }

  /** Fails a task that does not run. */
  fail(task: StoredTask, failure: TaskFailure): void {
    this.deps.store.fail(task, failure, this.deps.retention);
    this.deps.counter?.count('failed', task.queue, task.name, this.deps.now());
    this.emit('failed', task);
  }

  started(task: StoredTask): void {
    this.emit('started', task);
  }

  /** Stores how a run ended. */
  storeOutcome(task: StoredTask, outcome: Outcome): void {
    const { store, changes, retention, now } = this.deps;
    const hasStarted = task.run?.hasStarted ?? true;
    const members = outcome.kind === 'waiting' ? outcome.members : [];
    const times = this.timesOf(task, hasStarted);
    const added = members.filter(({ id }) => !store.find(id));
    if (task.cancelled?.again && outcome.kind !== 'succeeded') this.tellCancelled(task, times);
    storeOutcome(store, task, outcome, retention);
    for (const member of added) changes.emitEnqueued(member, now());
    if (hasEnded(task) || outcome.kind === 'retry') this.count(task, times);
    if (hasEnded(task)) this.emitEnd(task);
    else if (outcome.kind === 'retry' || (outcome.kind === 'postponed' && hasStarted)) this.emit('retrying', task);
    if (outcome.kind === 'failed' && failsByItself(task.id, outcome.failure)) this.failWhole(task);
  }

  /** The cancelled run of a task has ended that a caller has asked to run again: the task is never final in between. */
  private tellCancelled(task: StoredTask, times: CountedTimes): void {
    const { changes, counter, now, recordOf } = this.deps;
    counter?.count('cancelled', task.queue, task.name, now(), times);
    const record = changes.wants('cancelled') ? recordOf(task) : undefined;
    if (!record) return;
    const ended = { state: 'cancelled', error: cancellation(task.cancelled?.reason), finishedAt: now() } as const;
    changes.emit({ type: 'cancelled', record: { ...record, ...ended }, dueAt: dueAtOf(task), at: now() });
  }

  /** The worker gives the task up, which goes on there. */
  abandon(task: StoredTask): void {
    this.deps.store.abandon(task, this.deps.retention);
    this.emit('lost', task);
    if (hasEnded(task)) this.emitEnd(task);
    if (hasEnded(task)) this.failWhole(task);
  }

  /** Lets the tasks fail that wait for a task which has just failed, if no worker does so at once. */
  failWhole({ id, reruns, workflow }: StoredTask): void {
    const whole = workflow?.parent;
    if (!whole || hasEnded(whole) || workflow.onFailure === 'wait') return;
    const duty = failureDuty({ id, reruns, whole: whole.id }, this.deps.now(), this.deps.topology);
    if (duty) this.add(duty);
  }

  private count(task: StoredTask, times: CountedTimes): void {
    const { counter, now } = this.deps;
    const state = stateOf(task, now());
    counter?.count(isFinal(state) ? (state as CountedEvent) : 'retried', task.queue, task.name, now(), times);
  }

  private timesOf(
    { attempts, startedAt, enqueuedAt, options, workflow }: StoredTask,
    hasStarted: boolean,
  ): CountedTimes {
    if (!hasStarted || startedAt === null) return {};
    const wait = startedAt - Math.max(options.startAt ?? 0, enqueuedAt);
    return { run: this.deps.now() - startedAt, ...(attempts === 0 && !workflow && { wait }) };
  }

  private emitEnd(task: StoredTask): void {
    const state = stateOf(task, this.deps.now());
    if (isFinal(state)) this.emit(state as TaskChangeType, task);
  }

  private emit(type: TaskChangeType, task: StoredTask): void {
    const { changes, recordOf, now } = this.deps;
    const record = changes.wants(type) ? recordOf(task) : undefined;
    if (!record) return;
    changes.emit({ type, record, dueAt: dueAtOf(task), at: now() });
  }
}

function dueAtOf({ options, enqueuedAt }: StoredTask): number {
  return Math.max(options.startAt ?? 0, enqueuedAt);
}
