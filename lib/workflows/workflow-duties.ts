import { inBatches } from '../concurrency.js';
import type { Engine } from '../engine/engine.js';
import type { InstrumentedEnqueue } from '../engine/instrumented-enqueue.js';
import { removedMember, repeatedLoss } from '../engine/failures.js';
import { storableText, type Json } from '../engine/json.js';
import type { Delivery, Outcome } from '../engine/ports/worker-port.js';
import type { Topology } from '../engine/shards/topology.js';
import { isFinal, type TaskRecord } from '../engine/task.js';
import { dutyTask, expiryDuties, FIRST_LOOK, WORKERS_FIRST } from '../engine/duty-task.js';
import { memberId, memberIds } from '../engine/task-id.js';
import type { Duty, DutyEnd } from '../engine/workflow-note.js';
import { EngineUnavailableError } from '../errors.js';
import { compilePlan, queueOf } from './compile-plan.js';
import { completePlan } from './complete-plan.js';
import { failureOfMember, positionOf } from './failed-member.js';
import { fromJsonPlans, type Plan } from './plan.js';
import { PackageLogger } from '../package-logger.js';

/** Members that are cancelled at the same time. */
export const CANCEL_AT_ONCE = 50;
/** Members that are looked up at the same time. */
const FIND_AT_ONCE = 50;
/** Why members are cancelled, as their errors say. */
export const MEMBER_FAILED = 'Another member of the workflow failed.';
/** The pause before a task is looked at again whose end is not stored yet; it doubles each time, up to the longest. */
const LOOK_AGAIN_AFTER = 25;
const LONGEST_PAUSE = 30_000;
/** The pause before callbacks are stored again while the engine cannot be reached. */
const STORE_AGAIN_AFTER = 1_000;
/** How often a process may die that does a duty. It runs no code of the application, so it hardly is the reason. */
const DEATHS = 100;

const DONE: Outcome = { kind: 'succeeded', result: undefined };

export interface WorkflowDutiesDeps {
  readonly engine: Pick<Engine, 'find' | 'cancel' | 'failWhole' | 'retryLeftBehind' | 'now'>;
  /** Stores the tasks that no application enqueues: later members, callbacks and duties. */
  readonly calls: Pick<InstrumentedEnqueue, 'enqueueTree' | 'membersOf'>;
  /** Bytes of JSON of the arguments of a task. */
  readonly maxPayload: number;
  readonly hasRateLimit: (queue: string) => boolean;
  readonly topology: Topology;
}

/** Does what tasks of workflows left behind when they ended, in any process that runs tasks. */
export class WorkflowDuties {
  private readonly logger = new PackageLogger();

  constructor(private readonly deps: WorkflowDutiesDeps) {}

  async handle(delivery: Delivery, duty: Duty): Promise<Outcome> {
    if (delivery.abandoned > DEATHS) return { kind: 'failed', failure: repeatedLoss() };
    try {
      if (duty.kind === 'fail wholes') return (await this.failWholes(delivery, duty)) ? DONE : later(delivery);
      if (duty.kind === 'expiry') return await this.awaitExpiry(delivery, duty);
      if (duty.kind === 'run again') return (await this.deps.engine.retryLeftBehind(duty.id)) ? DONE : later(delivery);
      const record = await this.find(duty);
      if (record && !isFinal(record.state)) return later(delivery);
      if (duty.kind === 'callbacks') {
        const end = record ? endOf(record) : duty.end;
        return end ? await this.enqueueCallbacks(delivery, end, duty) : DONE;
      }
      return record ? await this.cancelMembers(delivery, record, duty) : DONE;
    } catch (error) {
      if (!(error instanceof EngineUnavailableError)) throw error;
      return { kind: 'postponed', delay: STORE_AGAIN_AFTER };
    }
  }

  /** Ids of callbacks are derived from the task and its end, so storing them a second time adds nothing. */
  private async enqueueCallbacks(delivery: Delivery, end: DutyEnd, duty: Duty): Promise<Outcome> {
    for (const [index, plan] of fromJsonPlans(end.callbacks).entries())
      await this.enqueueCallback(delivery, end, plan, index, duty);
    return DONE;
  }

  private async enqueueCallback(
    delivery: Delivery,
    { kind, name, queue, headers, input }: DutyEnd,
    plan: Plan,
    index: number,
    { id, reruns, priority }: Duty,
  ): Promise<void> {
    const { calls, engine, maxPayload, hasRateLimit, topology } = this.deps;
    const context = { headers, queue, now: engine.now(), priority, hasRateLimit, topology };
    const end = reruns > 0 ? `${kind}:${reruns}` : kind;
    try {
      const complete = completePlan(plan, input, maxPayload);
      const root = memberId(id, `${end}:${index}`, queueOf(complete, context));
      const tree = compilePlan(complete, root, { ...context, root });
      for (const expiry of expiryDuties(tree, context.now, topology)) await calls.enqueueTree(expiry, delivery);
      await calls.enqueueTree({ ...tree, isShared: true }, delivery);
    } catch (error) {
      if (error instanceof EngineUnavailableError) throw error;
      // Another attempt would not help: the plan cannot be stored.
      this.logger.error(`A callback of task ${name} (${id}) is not enqueued: ${(error as Error).message}`);
    }
  }

  private async cancelMembers({ interruption }: Delivery, record: TaskRecord, duty: Duty): Promise<Outcome> {
    const members = memberIds(duty.id, record.members);
    for (let start = 0; start < members.length; start += CANCEL_AT_ONCE) {
      if (interruption.isRequested) return { kind: 'postponed', delay: 0 };
      // A caller may have run the workflow again meanwhile.
      if ((await this.find(duty))?.state !== 'failed') break;
      await inBatches(members.slice(start, start + CANCEL_AT_ONCE), CANCEL_AT_ONCE, (id) =>
        this.deps.engine.cancel(id, MEMBER_FAILED, true),
      );
    }
    return DONE;
  }

  /**
   * Fails all tasks that wait for a failed one, as far as no worker has done so: their queues may be paused or have no worker, and
   * callers need not wait for that.
   *
   * @returns false while an end is not stored yet, or a worker has one of the tasks
   */
  private async failWholes(delivery: Delivery, duty: Duty): Promise<boolean> {
    let member: Pick<Duty, 'id' | 'reruns'> = duty;
    for (let id = duty.whole; id !== undefined;) {
      // In this order: a caller who runs a workflow again begins with the member.
      const whole = await this.deps.engine.find(id);
      const failed = await this.find(member);
      if (!whole || !failed || failed.state === 'succeeded') return true;
      if (!isFinal(failed.state)) return false;
      if (!isFinal(whole.state) && !(await this.failWhole(delivery, whole, failed))) return false;
      if (isFinal(whole.state) && whole.state !== 'failed') return true;
      member = { id, reruns: whole.reruns ?? 0 };
      id = whole.whole;
    }
    return true;
  }

  private async awaitExpiry(delivery: Delivery, duty: Duty): Promise<Outcome> {
    const { engine } = this.deps;
    const { id, ofMembers, at = 0 } = duty;
    const record = await engine.find(id);
    if (!record || (isFinal(record.state) && (ofMembers || record.state !== 'expired'))) return DONE;
    const now = engine.now();
    if (now < at) {
      const passed = Math.max(now - delivery.enqueuedAt, FIRST_LOOK);
      return { kind: 'postponed', delay: Math.min(at - now + WORKERS_FIRST, passed) };
    }
    return (await this.endExpired(delivery, record, duty)) ? DONE : later(delivery);
  }

  /**
   * Does what a worker does that takes a task after it has expired, as far as other tasks wait for that. The task itself stays in its
   * queue until a worker clears it away.
   *
   * @returns false while the task may still expire, or an end is not stored yet
   */
  private async endExpired(delivery: Delivery, record: TaskRecord, { ofMembers }: Duty): Promise<boolean> {
    // A task that waits for members expires when they end too late.
    if (!ofMembers) return record.state === 'waiting' ? false : this.endIfExpired(delivery, record);
    let isComplete = true;
    await inBatches(memberIds(record.id, record.members), FIND_AT_ONCE, async (member) => {
      const found = await this.deps.engine.find(member);
      if (found && !(await this.endIfExpired(delivery, found))) isComplete = false;
    });
    return isComplete;
  }

  private async endIfExpired(delivery: Delivery, task: TaskRecord): Promise<boolean> {
    if (task.state !== 'expired') return true;
    const { id, whole, reruns = 0 } = task;
    await this.leaveCallbacks(delivery, task);
    return whole === undefined || this.failWholes(delivery, { kind: 'fail wholes', id, whole, reruns });
  }

  /** Stored before the end, as by a worker: this process may die in between. */
  private async leaveCallbacks(delivery: Delivery, task: TaskRecord): Promise<void> {
    const { id, reruns = 0, note: { priority } = {} } = task;
    const end = endOf(task);
    if (!end || end.callbacks.length === 0) return;
    const duty: Duty = { kind: 'callbacks', id, reruns, ...(priority !== undefined && { priority }), end };
    await this.deps.calls.enqueueTree(dutyTask(duty, this.deps.topology), delivery);
  }

  private async failWhole(delivery: Delivery, whole: TaskRecord, member: TaskRecord): Promise<boolean> {
    if (whole.state === 'running') return false;
    const { id, note = {}, reruns = 0 } = whole;
    const members = memberIds(id, whole.members);
    const { name: task, error } = member;
    const failed = { id: member.id, state: 'failed' as const, task, failure: error ?? removedMember(member.id) };
    const failure = failureOfMember(whole, failed, positionOf(members.indexOf(member.id), note));
    const { calls, engine, topology } = this.deps;
    await this.leaveCallbacks(delivery, { ...whole, state: 'failed', result: null, error: failure });
    if (members.length > 1)
      await calls.enqueueTree(dutyTask({ kind: 'cancel members', id, reruns }, topology), delivery);
    return engine.failWhole(id, { failure, reruns });
  }

  /** The task that left the duty behind, unless it is no longer stored, or a caller has run it again after its end. */
  private async find({ id, reruns }: Pick<Duty, 'id' | 'reruns'>): Promise<TaskRecord | undefined> {
    const record = await this.deps.engine.find(id);
    return record && (record.reruns ?? 0) === reruns ? record : undefined;
  }
}

/** The task is looked at again after a pause, which doubles each time. */
function later({ returns }: Delivery): Outcome {
  return { kind: 'postponed', delay: Math.min(LOOK_AGAIN_AFTER * 2 ** returns, LONGEST_PAUSE) };
}

/** The task as far as its callbacks need it: a record, or a delivery with what the task is about to store. */
type Ended = Pick<TaskRecord, 'id' | 'name' | 'queue' | 'headers' | 'state' | 'result' | 'error' | 'note'>;

/** The end of a task with its callbacks; `undefined` for a cancelled task, which has none. */
export function endOf({ id, name, queue, headers, state, result, error, note }: Ended): DutyEnd | undefined {
  const ended = { name, queue, headers };
  if (state === 'succeeded') return { kind: state, ...ended, input: result, callbacks: note?.onSuccess ?? [] };
  if (state === 'cancelled') return undefined;
  return { kind: 'failed', ...ended, input: taskError(id, name, error), callbacks: note?.onError ?? [] };
}

/** The first argument of an `onError`. */
function taskError(id: string, task: string, failure: TaskRecord['error']): Json {
  const { name, message, code } = failure ?? { name: 'Error', message: 'The task failed.' };
  return { name, message: storableText(message), ...(code !== undefined && { code }), id, task };
}
