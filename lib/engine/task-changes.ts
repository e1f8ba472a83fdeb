import type { EventPort, TaskChange, TaskChangeListener, TaskChangeType } from './ports/event-port.js';
import type { TaskCounter } from './statistics/task-counter.js';
import type { TaskCall, TaskRecord, TaskState, TaskTree } from './task.js';
import { rangesOf } from './task-id.js';

/** The listeners of one engine to the changes that it stores. */
export class TaskChanges implements EventPort {
  private readonly listeners = new Map<TaskChangeType, Set<TaskChangeListener>>();

  /** @param counter counts the calls that are stored; `undefined`: they are not counted */
  constructor(private readonly counter: Pick<TaskCounter, 'count'> | undefined) {}

  onTaskChange(types: Iterable<TaskChangeType>, listener: TaskChangeListener): () => void {
    const wanted = [...types];
    for (const type of wanted) this.listeners.set(type, (this.listeners.get(type) ?? new Set()).add(listener));
    return () => {
      for (const type of wanted) {
        const rest = this.listeners.get(type);
        rest?.delete(listener);
        if (rest?.size === 0) this.listeners.delete(type);
      }
    };
  }

  /** Whether a listener wants changes of this type. Ask before making a change: most applications have no listener. */
  wants(type: TaskChangeType): boolean {
    return this.listeners.has(type);
  }

  emit(change: TaskChange): void {
    for (const listener of this.listeners.get(change.type) ?? []) listener(change);
  }

  /** Counts a call that was stored, and all its members, and emits `enqueued` for each. */
  emitEnqueued(call: TaskCall | TaskTree, now: number): void {
    // Several processes store a shared call, and none knows which was first: the worker counts it.
    if (!call.isShared) this.counter?.count('enqueued', call.queue, call.name, now);
    if (this.wants('enqueued')) this.emitOneEnqueued(call, now);
    for (const member of membersOf(call)) this.emitEnqueued(member, now);
  }

  /** Emits `enqueued` for a call that a transaction has stored and committed, and for all its members. The worker counts them. */
  emitCommitted(call: TaskCall | TaskTree, now: number): void {
    if (this.wants('enqueued')) this.emitOneEnqueued(call, now);
    for (const member of membersOf(call)) this.emitCommitted(member, now);
  }

  private emitOneEnqueued(call: TaskCall | TaskTree, now: number): void {
    const { startAt = now } = call.options;
    this.emit({ type: 'enqueued', record: recordOfCall(call, now), dueAt: Math.max(startAt, now), at: now });
  }
}

/** The record of a call that was stored just now. */
function recordOfCall(call: TaskCall | TaskTree, now: number): TaskRecord {
  const { id, name, queue, options, headers } = call;
  const members = membersOf(call);
  return {
    id,
    name,
    queue,
    state: stateOfCall(call, now),
    progress: null,
    result: null,
    error: null,
    attempt: 0,
    maxAttempts: Math.max(options.attempts ?? 1, 1),
    enqueuedAt: now,
    startedAt: null,
    finishedAt: null,
    expiresAt: null,
    headers,
    ...(members.length > 0 && { members: rangesOf(members.map((member) => member.queue)) }),
    ...('note' in call && call.note && { note: call.note }),
  };
}

function stateOfCall(call: TaskCall | TaskTree, now: number): TaskState {
  if (membersOf(call).length > 0) return 'waiting';
  return (call.options.startAt ?? 0) > now ? 'scheduled' : 'queued';
}

function membersOf(call: TaskCall | TaskTree): readonly TaskTree[] {
  return 'members' in call ? call.members : [];
}
