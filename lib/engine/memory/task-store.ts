import { cancellation, DEATHS_ALLOWED, isExpiry, repeatedLoss } from '../failures.js';
import type { Json } from '../json.js';
import { timeToLive, type Retention } from '../retention.js';
import type { RunningTask } from '../running-tasks.js';
import type { TaskEdit } from '../ports/command-port.js';
import type { TaskCall, TaskFailure, TaskTree } from '../task.js';
import type { WorkflowNote } from '../workflow-note.js';
import type { Clock } from '../clock.js';
import { Heap } from './heap.js';
import { hasFailedMember, linkMember } from './members.js';
import { addToHistory, attemptOf, hasEnded, toStoredTask, workflowPart, type StoredTask } from './stored-task.js';
import { stateOf } from './task-to-record.js';

/** What a store tells those who run and watch its tasks. */
export interface StoreEvents {
  changed(task: StoredTask, isEnd: boolean): void;
  /** A task waits in this queue. */
  queued(queue: string): void;
  /** A task will be queued later. */
  delayed(): void;
  /** A task is new here. */
  stored(task: StoredTask): void;
}

/**
 * All tasks of one place, each in exactly one {@link StoredTask.place place}. Every method moves a task at once, so that
 * callers never see it half moved.
 */
export class TaskStore {
  private readonly tasks = new Map<string, StoredTask>();
  private readonly queues = new Map<string, Heap<StoredTask>>();
  /** The names of all queues that were ever used. */
  private readonly names = new Set<string>();
  private readonly running = new Map<string, Set<StoredTask>>();
  private readonly delayed = new Heap<StoredTask>(isDueBefore);
  /** The final tasks, but for the members of a workflow that goes on: it needs their results. */
  private readonly ended = new Heap<StoredTask>(isDueBefore);
  /** The tasks that stand for later equal calls, by their keys. */
  private readonly keys = new Map<string, StoredTask>();
  private lastOrder = 0;
  private firstOrder = 0;

  constructor(
    private readonly clock: Clock,
    private readonly events: StoreEvents,
  ) {}

  find(id: string): StoredTask | undefined {
    this.removeOutdated();
    return this.tasks.get(id);
  }

  now(): number {
    return this.clock.now();
  }

  holderOf(key: string): StoredTask | undefined {
    this.removeOutdated();
    return this.keys.get(key);
  }

  /** Stores a call, or a tree with all its members. A task whose id is stored is left as it is. */
  add(call: TaskCall | TaskTree): void {
    this.removeOutdated();
    this.addBelow(call, undefined);
  }

  /** The next task of a queue, which stays where it is. */
  next(queue: string): StoredTask | undefined {
    return this.queues.get(queue)?.first;
  }

  /**
   * The task of all queues that was queued first; within its queue, a task of higher priority comes before it.
   *
   * @param isPaused whether the tasks of a queue are left out
   */
  first(isPaused: (queue: string) => boolean): StoredTask | undefined {
    let first: StoredTask | undefined;
    for (const [queue, { first: next }] of this.queues)
      if (next && (!first || next.order < first.order) && !isPaused(queue)) first = next;
    return first;
  }

  countRunning(queue: string): number {
    return this.running.get(queue)?.size ?? 0;
  }

  /** The time at which the next delayed task is queued. */
  get nextDue(): number | undefined {
    return this.delayed.first?.due;
  }

  /** All tasks, in the order in which they were stored. */
  all(): Iterable<StoredTask> {
    this.removeOutdated();
    return this.tasks.values();
  }

  /** The names of all queues that tasks were stored in, or that a consumer takes from. */
  queueNames(): string[] {
    return [...this.names];
  }

  useQueue(name: string): void {
    this.names.add(name);
  }

  /** Queues the delayed tasks whose time has come. */
  queueDue(now = this.clock.now()): void {
    for (let first = this.delayed.first; first && first.due <= now; first = this.delayed.first)
      this.queue(first, 'back');
  }

  start(task: StoredTask, run: RunningTask, worker?: string): void {
    this.leave(task);
    task.place = 'running';
    let running = this.running.get(task.queue);
    if (!running) this.running.set(task.queue, (running = new Set()));
    running.add(task);
    task.run = run;
    task.worker = worker ?? null;
    task.starts++;
    task.startedAt = this.clock.now();
    if (task.unique?.while === 'pending') this.releaseKey(task);
    this.events.changed(task, false);
  }

  queue(task: StoredTask, end: 'front' | 'back'): void {
    this.leave(task);
    task.place = 'queued';
    task.order = end === 'back' ? ++this.lastOrder : --this.firstOrder;
    let queue = this.queues.get(task.queue);
    if (!queue) this.queues.set(task.queue, (queue = new Heap(runsBefore)));
    queue.add(task);
    this.events.queued(task.queue);
    this.events.changed(task, false);
  }

  /** Changes a task that is queued or delayed. */
  edit(task: StoredTask, { args, startAt, priority }: TaskEdit): void {
    if (args) task.args = JSON.stringify(args);
    if (priority !== undefined) {
      this.leave(task);
      task.options = { ...task.options, priority };
      if (task.place === 'queued') this.queues.get(task.queue)?.add(task);
      else this.delayed.add(task);
    }
    if (startAt !== undefined) this.setStart(task, startAt);
    this.events.changed(task, false);
  }

  /** Lets a task start at a time. Of a task that is due now, the place in its queue does not change. */
  setStart(task: StoredTask, startAt: number, end: 'front' | 'back' = 'back'): void {
    const { workflow } = task;
    const delay = startAt - this.clock.now();
    if (workflow?.note !== undefined) {
      const note = JSON.parse(workflow.note) as WorkflowNote;
      if (note.delay !== undefined)
        workflow.note = JSON.stringify({ ...note, delay: delay > 0 ? { at: startAt } : 0 } satisfies WorkflowNote);
    }
    if (delay > 0) this.delay(task, delay);
    else if (task.place === 'delayed') this.queue(task, end);
  }

  delay(task: StoredTask, milliseconds: number): void {
    this.leave(task);
    task.place = 'delayed';
    task.order = ++this.lastOrder;
    task.due = this.clock.now() + milliseconds;
    this.delayed.add(task);
    this.events.delayed();
    this.events.changed(task, false);
  }

  /** Makes a running task wait for its members, to which `members` are added. */
  waitForMembers(task: StoredTask, members: readonly TaskTree[], note: WorkflowNote): void {
    task.workflow ??= workflowPart();
    task.workflow.note = JSON.stringify(note);
    for (const member of members) this.addBelow(member, task);
    this.leave(task);
    if (task.workflow.unended === 0 || hasFailedMember(task)) return this.queue(task, 'front');
    task.place = 'waiting';
    this.events.changed(task, false);
  }

  succeed(task: StoredTask, result: Json | undefined, retention: Retention, at = this.now()): void {
    task.result = result === undefined ? undefined : JSON.stringify(result);
    this.end(task, 'succeeded', retention, at);
  }

  fail(task: StoredTask, failure: TaskFailure, retention: Retention, at = this.now()): void {
    task.failure = failure;
    this.end(task, 'failed', retention, at);
  }

  /** Ends a task that does not run. */
  cancel(task: StoredTask, reason: string | undefined, retention: Retention): void {
    this.fail(task, cancellation(reason), retention);
  }

  /**
   * A worker gives up a task that goes on there. Its outcome no longer counts. The handler fails a task that was given up
   * too often, so that its callbacks run; if the handler does not, the store does.
   */
  abandon(task: StoredTask, retention: Retention): void {
    if (task.run?.hasStarted)
      addToHistory(task, attemptOf(task, { endedAt: this.now(), outcome: 'lost', error: null }));
    task.run = undefined;
    task.abandoned++;
    if (task.abandoned > DEATHS_ALLOWED + 1) this.fail(task, repeatedLoss(), retention);
    else this.queue(task, 'front');
  }

  /** Queues a task again that is final, or whose cancelled run has just ended, with all its attempts. */
  revive(task: StoredTask): void {
    const { unique, workflow } = task;
    if (workflow?.parent?.workflow && hasEnded(task)) workflow.parent.workflow.unended++;
    const holder = unique && this.keys.get(unique.key);
    if (unique && (!holder || (unique.while !== 'retained' && hasEnded(holder)))) this.keys.set(unique.key, task);
    Object.assign(task, { attempts: 0, starts: 0, looks: 0, returns: 0, abandoned: 0, finishedAt: null });
    task.reruns++;
    task.failure = task.cancelled = undefined;
    this.queue(task, 'back');
  }

  /** Removes a task in whatever place. A task that waits for it goes on as after a failure. */
  remove(task: StoredTask): void {
    const wasUnfinished = !hasEnded(task);
    this.leave(task);
    task.place = 'removed';
    task.run = undefined;
    this.tasks.delete(task.id);
    this.releaseKey(task);
    this.events.changed(task, true);
    if (wasUnfinished) this.tellParent(task);
  }

  /** Removes a task with its members, as the other engines do. @returns false while one of the members runs */
  removeWhole(task: StoredTask): boolean {
    if (hasRunningMember(task)) return false;
    this.removeAll(task);
    return true;
  }

  private removeAll(task: StoredTask): void {
    this.remove(task);
    for (const member of task.workflow?.members ?? []) if (member.place !== 'removed') this.removeAll(member);
  }

  releaseKey({ unique, id }: StoredTask): void {
    if (unique && this.keys.get(unique.key)?.id === id) this.keys.delete(unique.key);
  }

  private addBelow(call: TaskCall | TaskTree, parent: StoredTask | undefined): void {
    const known = this.tasks.get(call.id);
    const task = known ?? toStoredTask(call, this.clock.now());
    if (parent) linkMember(parent, task);
    if (known) return;
    this.tasks.set(task.id, task);
    this.useQueue(task.queue);
    this.events.stored(task);
    if (task.unique) this.keys.set(task.unique.key, task);
    if ('members' in call) for (const member of call.members) this.addBelow(member, task);
    const delay = (call.options.startAt ?? 0) - task.enqueuedAt;
    if (task.workflow && task.workflow.unended > 0) task.place = 'waiting';
    else if (delay > 0) this.delay(task, delay);
    else this.queue(task, 'back');
  }

  private end(task: StoredTask, place: 'succeeded' | 'failed', retention: Retention, at: number): void {
    const wasRunning = task.place === 'running';
    this.leave(task);
    // A worker took an expired task only to clear it away.
    if (wasRunning && !isExpiry(task.failure ?? null)) task.attempts++;
    task.place = place;
    task.run = undefined;
    task.finishedAt = at;
    task.due = at + timeToLive(stateOf(task, at), task.options.resultTtl, retention);
    if (task.unique?.while !== 'retained') this.releaseKey(task);
    this.keepUntilDue(task);
    for (const member of task.workflow?.members ?? []) if (hasEnded(member)) this.keepUntilDue(member);
    this.events.changed(task, true);
    this.tellParent(task);
  }

  /** A member of a workflow that goes on is kept until the workflow ends. */
  private keepUntilDue(task: StoredTask): void {
    const parent = task.workflow?.parent;
    if (task.place !== 'removed' && task.position === -1 && (!parent || hasEnded(parent))) this.ended.add(task);
  }

  private tellParent({ id, place, workflow }: StoredTask): void {
    const parent = workflow?.parent;
    if (parent?.workflow) {
      parent.workflow.unended--;
      if (parent.place === 'waiting') {
        const mustFail = place !== 'succeeded' && workflow?.onFailure !== 'wait';
        if (mustFail || parent.workflow.unended === 0) this.queue(parent, 'front');
      }
    }
    const root = workflow?.root === undefined || workflow.root === id ? undefined : this.tasks.get(workflow.root);
    if (root) this.events.changed(root, false);
  }

  private leave(task: StoredTask): void {
    if (task.place === 'running') this.running.get(task.queue)?.delete(task);
    if (task.position === -1) return;
    if (task.place === 'queued') this.queues.get(task.queue)?.remove(task);
    else if (task.place === 'delayed') this.delayed.remove(task);
    else this.ended.remove(task);
  }

  private removeOutdated(): void {
    const now = this.clock.now();
    for (let first = this.ended.first; first && first.due <= now; first = this.ended.first) this.remove(first);
  }
}

function hasRunningMember({ workflow }: StoredTask): boolean {
  return workflow?.members.some((member) => member.place === 'running' || hasRunningMember(member)) ?? false;
}

function isDueBefore(one: StoredTask, other: StoredTask): boolean {
  return one.due === other.due ? one.order < other.order : one.due < other.due;
}

function runsBefore(one: StoredTask, other: StoredTask): boolean {
  const [priority, others] = [one.options.priority ?? 0, other.options.priority ?? 0];
  return priority === others ? one.order < other.order : priority > others;
}
