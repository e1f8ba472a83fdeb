import { Logger } from '@nestjs/common';
import { inBatches } from '../concurrency.js';
import type { Engine } from '../engine/engine.js';
import type { InstrumentedEnqueue } from '../engine/instrumented-enqueue.js';
import { repeatedLoss } from '../engine/failures.js';
import { storableText, type Json } from '../engine/json.js';
import type { Delivery, Outcome } from '../engine/ports/worker-port.js';
import { isFinal, type TaskRecord, type TaskTree } from '../engine/task.js';
import { memberId, memberIds, WORKFLOW_QUEUE } from '../engine/task-id.js';
import { DUTY_TASKS, type Duty } from '../engine/workflow-note.js';
import { EngineUnavailableError } from '../errors.js';
import { compilePlan, queueOf } from './compile-plan.js';
import { completePlan } from './complete-plan.js';
import { fromJsonPlans, type Plan } from './plan.js';

/** Members that are cancelled at the same time. */
export const CANCEL_AT_ONCE = 50;
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
  readonly engine: Pick<Engine, 'find' | 'cancel' | 'now'>;
  /** Stores the tasks that no application enqueues: later members, callbacks and duties. */
  readonly calls: Pick<InstrumentedEnqueue, 'enqueueTree' | 'membersOf'>;
  /** Bytes of JSON of the arguments of a task. */
  readonly maxPayload: number;
  readonly hasRateLimit: (queue: string) => boolean;
}

/**
 * The task that does a duty. It is stored before the end of the task that left the duty behind, and does nothing until that
 * end is stored. So it is done once for each final end: also when a process dies in between, or when the end is lost and
 * another process stores another one.
 */
export function dutyTask(duty: Duty): TaskTree {
  const id = memberId(duty.id, `${duty.kind}:${duty.reruns}`, WORKFLOW_QUEUE);
  return {
    id,
    name: DUTY_TASKS[duty.kind],
    queue: WORKFLOW_QUEUE,
    args: [],
    headers: {},
    options: {},
    members: [],
    root: id,
    note: { duty },
  };
}

/** Does what tasks of workflows left behind when they ended, in any process that runs tasks. */
export class WorkflowDuties {
  private readonly logger = new Logger('TaskQueue');

  constructor(private readonly deps: WorkflowDutiesDeps) {}

  async handle(delivery: Delivery, duty: Duty): Promise<Outcome> {
    const { abandoned, starts } = delivery;
    if (abandoned > DEATHS) return { kind: 'failed', failure: repeatedLoss() };
    try {
      const record = await this.find(duty);
      // The task is no longer stored, or a caller has run it again.
      if (!record) return DONE;
      if (!isFinal(record.state)) {
        return { kind: 'postponed', delay: Math.min(LOOK_AGAIN_AFTER * 2 ** (starts - 1), LONGEST_PAUSE) };
      }
      return await (duty.kind === 'callbacks'
        ? this.enqueueCallbacks(delivery, record, duty)
        : this.cancelMembers(delivery, record, duty));
    } catch (error) {
      if (!(error instanceof EngineUnavailableError)) throw error;
      return { kind: 'postponed', delay: STORE_AGAIN_AFTER };
    }
  }

  /** Ids of callbacks are derived from the task and its end, so storing them a second time adds nothing. */
  private async enqueueCallbacks(delivery: Delivery, record: TaskRecord, duty: Duty): Promise<Outcome> {
    for (const [index, plan] of callbacksOf(record).entries())
      await this.enqueueCallback(delivery, record, plan, index, duty);
    return DONE;
  }

  private async enqueueCallback(
    delivery: Delivery,
    record: TaskRecord,
    plan: Plan,
    index: number,
    duty: Duty,
  ): Promise<void> {
    const { calls, engine, maxPayload, hasRateLimit } = this.deps;
    const { id, name, queue, headers } = record;
    const context = { headers, queue, now: engine.now(), priority: duty.priority, hasRateLimit };
    const kind = record.state === 'succeeded' ? 'succeeded' : 'failed';
    const end = duty.reruns > 0 ? `${kind}:${duty.reruns}` : kind;
    try {
      const complete = completePlan(plan, inputOf(record), maxPayload);
      const root = memberId(id, `${end}:${index}`, queueOf(complete, context));
      await calls.enqueueTree({ ...compilePlan(complete, root, { ...context, root }), isShared: true }, delivery);
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
        this.deps.engine.cancel(id, MEMBER_FAILED),
      );
    }
    return DONE;
  }

  /** The task that left the duty behind, unless it is no longer stored, or a caller has run it again. */
  private async find({ id, reruns }: Duty): Promise<TaskRecord | undefined> {
    const record = await this.deps.engine.find(id);
    return record && (record.reruns ?? 0) === reruns ? record : undefined;
  }
}

function callbacksOf({ state, note }: TaskRecord): readonly Plan[] {
  if (state === 'succeeded') return fromJsonPlans(note?.onSuccess);
  return state === 'cancelled' ? [] : fromJsonPlans(note?.onError);
}

/** The first argument of a callback: the result, or the error. */
function inputOf({ id, name: task, state, result, error }: TaskRecord): Json {
  if (state === 'succeeded') return result;
  const { name, message, code } = error ?? { name: 'Error', message: 'The task failed.' };
  return { name, message: storableText(message), ...(code !== undefined && { code }), id, task };
}
