import { setTimeout as wait } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { inBatches } from '../concurrency.js';
import { PayloadTooLargeError, TaskQueueError } from '../errors.js';
import type { Engine } from '../engine/engine.js';
import { failureOf, isCancellation, unreadable } from '../engine/failures.js';
import { sizeBeyond, storableText, type Json } from '../engine/json.js';
import type { Delivery, DeliveryHandler, Outcome } from '../engine/ports/worker-port.js';
import type { MemberResult, TaskTree } from '../engine/task.js';
import { memberId } from '../engine/task-id.js';
import type { WorkflowNote } from '../engine/workflow-note.js';
import { unreadablePlans } from './check-plan.js';
import { compileMembers, compilePlan, withFailure, type CompileContext } from './compile-plan.js';
import { failureOfMember } from './failed-member.js';
import { fromJsonPlans, queueOf, withInput, type Plan } from './plan.js';

/** How the method of a task ended: with an outcome, or by becoming another task or workflow. */
export type RunOutcome = Outcome | { readonly kind: 'replaced'; readonly plan: Plan };

export interface WorkflowRunnerDeps {
  readonly engine: Pick<Engine, 'enqueueTree' | 'cancel' | 'now'>;
  /** Runs the method of a task. */
  readonly executor: DeliveryHandler<RunOutcome>;
  /** Bytes of JSON of a result. */
  readonly maxPayload: number;
}

type Succeeded = Extract<MemberResult, { state: 'succeeded' }>;
type Failed = Extract<MemberResult, { state: 'failed' }>;

/** Members that are cancelled at the same time. */
const CANCEL_AT_ONCE = 50;
/** Milliseconds between two attempts to store the tasks that follow, while the engine cannot be reached. */
const STORE_AGAIN_AFTER = 1_000;

/**
 * The first handler of a run: it gives tasks the results of earlier ones, gathers groups, lets a task become another,
 * and enqueues the tasks that follow. A task outside of workflows goes straight to the executor.
 *
 * Each time a task of a workflow runs, the runner reads the results of its members and goes on from there. So it does
 * not matter why the task runs, or how often: because all members ended, because one failed, or because a process died.
 */
export class WorkflowRunner implements DeliveryHandler {
  private readonly logger = new Logger('TaskQueue');

  constructor(private readonly deps: WorkflowRunnerDeps) {}

  /** @throws EngineUnavailableError when the engine cannot be asked for the members */
  handle(delivery: Delivery): Promise<Outcome> {
    const { note, memberCount } = delivery;
    return note === undefined && memberCount === 0
      ? this.handleLoneTask(delivery)
      : this.handleMember(delivery, note ?? {});
  }

  private async handleLoneTask(delivery: Delivery): Promise<Outcome> {
    const outcome = await this.deps.executor.handle(delivery);
    return outcome.kind === 'replaced' ? this.replace(delivery, {}, outcome.plan) : outcome;
  }

  private async handleMember(delivery: Delivery, note: WorkflowNote): Promise<Outcome> {
    const reason = unreadablePlans(note);
    if (reason !== undefined) return this.failUnreadable(delivery, reason);
    const outcome = await this.outcomeOf(delivery, note);
    return (await this.enqueueFollowers(delivery, note, outcome)) ? outcome : { kind: 'postponed', delay: 0 };
  }

  private failUnreadable({ name, id }: Delivery, reason: string): Outcome {
    const failure = unreadable(reason);
    this.logger.error(`Task ${name} (${id}) failed: ${failure.message}`);
    return { kind: 'failed', failure };
  }

  private async outcomeOf(delivery: Delivery, note: WorkflowNote): Promise<Outcome> {
    const results = delivery.memberCount > 0 ? await delivery.members() : [];
    const collects = note.group?.onFailure === 'collect';
    const mustSucceed = collects && !note.group.later ? results.slice(0, note.after ? 1 : 0) : results;
    const failed = mustSucceed.find((result): result is Failed => result.state === 'failed');
    if (failed) {
      await this.cancelUnfinished(results);
      const position = positionOf(results.indexOf(failed), note);
      return { kind: 'failed', failure: failureOfMember(delivery, failed, position) };
    }
    if (results.some(({ state }) => state === 'unfinished')) return { kind: 'waiting', members: [], note };
    const input = note.after ? (results[0] as Succeeded).value : undefined;
    if (note.replaced) return { kind: 'succeeded', result: (results.at(-1) as Succeeded).value };
    if (note.group) return this.gatherGroup(delivery, note, results, input);
    return this.runTask(delivery, note, input);
  }

  private async runTask(delivery: Delivery, note: WorkflowNote, input: Json | undefined): Promise<Outcome> {
    const outcome = note.each
      ? await this.runEach(delivery)
      : await this.deps.executor.handle(withPipedInput(delivery, note, input));
    if (outcome.kind === 'replaced') return this.replace(delivery, note, outcome.plan);
    if (outcome.kind !== 'failed' || !note.last || isCancellation(outcome.failure)) return outcome;
    const { id, name: task } = delivery;
    const failed: Failed = { id, state: 'failed', task, failure: outcome.failure };
    return { kind: 'failed', failure: failureOfMember(delivery, failed, note.step ?? 0) };
  }

  /**
   * Runs the method for each of the argument lists, one after the other. The first that fails makes all of them fail.
   */
  private async runEach(delivery: Delivery): Promise<RunOutcome> {
    const results: Json[] = [];
    for (const args of delivery.args as readonly (readonly Json[])[]) {
      const outcome = await this.deps.executor.handle({ ...delivery, args });
      if (outcome.kind !== 'succeeded') return outcome;
      results.push(outcome.result ?? null);
    }
    return this.succeedWithList(results);
  }

  private gatherGroup(
    delivery: Delivery,
    note: WorkflowNote,
    results: readonly MemberResult[],
    input: Json | undefined,
  ): Outcome {
    const { later, ...group } = note.group ?? {};
    if (later && later.length > 0) {
      return unlessRefused(() => {
        const plans = fromJsonPlans(later).map((plan) => withInput(plan, input ?? null));
        const members = compileMembers(plans, delivery.id, delivery.memberCount, this.compileContext(delivery));
        return {
          kind: 'waiting',
          members: members.map((member) => withFailure(member, group.onFailure)),
          note: { ...note, group },
        };
      });
    }
    const own = results.slice(note.after ? 1 : 0);
    if (group.onFailure !== 'collect') return this.succeedWithList(own.map((result) => (result as Succeeded).value));
    return this.succeedWithList(own.map((result) => collected(result as Succeeded | Failed)));
  }

  private replace(delivery: Delivery, note: WorkflowNote, plan: Plan): Outcome {
    return unlessRefused(() => {
      const members = compileMembers([plan], delivery.id, delivery.memberCount, this.compileContext(delivery));
      return { kind: 'waiting', members, note: { ...note, replaced: true } };
    });
  }

  private succeedWithList(values: readonly Json[]): Outcome {
    const { maxPayload } = this.deps;
    const size = sizeBeyond(values, maxPayload);
    if (size === undefined) return { kind: 'succeeded', result: values };
    return {
      kind: 'failed',
      failure: failureOf(new PayloadTooLargeError('The results of the members together', size, maxPayload)),
    };
  }

  private async cancelUnfinished(results: readonly MemberResult[]): Promise<void> {
    const ids = results.filter(({ state }) => state === 'unfinished').map(({ id }) => id);
    const reason = 'Another member of the workflow failed.';
    await inBatches(ids, CANCEL_AT_ONCE, (id) => this.deps.engine.cancel(id, reason));
  }

  /**
   * Stores the tasks of `onSuccess` or `onError` before the end itself is stored. Their ids are derived from the task's
   * id, so storing them a second time adds nothing.
   *
   * @returns false when the run has to end before the engine could be reached
   */
  private async enqueueFollowers(delivery: Delivery, note: WorkflowNote, outcome: Outcome): Promise<boolean> {
    for (const [index, plan] of followersOf(delivery, note, outcome).entries()) {
      const root = memberId(delivery.id, `${outcome.kind}:${index}`, queueOf(plan) ?? delivery.queue);
      const tree = this.compileFollower(delivery, plan, root);
      if (tree && !(await this.store(tree, delivery))) return false;
    }
    return true;
  }

  /** @returns false when the run has to end before the engine could be reached */
  private async store(tree: TaskTree, delivery: Delivery): Promise<boolean> {
    for (;;) {
      try {
        await this.deps.engine.enqueueTree(tree);
        return true;
      } catch {
        if (delivery.interruption.isRequested) return false;
        await wait(STORE_AGAIN_AFTER);
      }
    }
  }

  private compileContext({ headers, root, queue }: Delivery): CompileContext {
    return { headers, root, queue, now: this.deps.engine.now() };
  }

  /** @returns `undefined` for a plan that cannot be compiled: it must not change how the task before it ended */
  private compileFollower(delivery: Delivery, plan: Plan, root: string): TaskTree | undefined {
    try {
      return compilePlan(plan, root, { ...this.compileContext(delivery), root });
    } catch (error) {
      this.logger.error(
        `What follows task ${delivery.name} (${delivery.id}) is not enqueued: ${(error as Error).message}`,
      );
      return undefined;
    }
  }
}

/** The outcome, or a failure when a plan holds a task that cannot be part of a workflow. */
function unlessRefused(compile: () => Outcome): Outcome {
  try {
    return compile();
  } catch (error) {
    if (error instanceof TaskQueueError) return { kind: 'failed', failure: failureOf(error) };
    throw error;
  }
}

/** The plans that follow an outcome, with the result or the error as their first argument. */
function followersOf({ id, name: task }: Delivery, note: WorkflowNote, outcome: Outcome): Plan[] {
  if (outcome.kind === 'succeeded') {
    return fromJsonPlans(note.onSuccess).map((plan) => withInput(plan, outcome.result ?? null));
  }
  if (outcome.kind === 'failed' && !isCancellation(outcome.failure)) {
    const { name, message, code } = outcome.failure;
    const error = { name, message: storableText(message), ...(code !== undefined && { code }), id, task };
    return fromJsonPlans(note.onError).map((plan) => withInput(plan, error));
  }
  return [];
}

function withPipedInput(delivery: Delivery, { piped }: WorkflowNote, input: Json | undefined): Delivery {
  return piped && delivery.args ? { ...delivery, args: [input ?? null, ...delivery.args] } : delivery;
}

/** A failed step is named by its place in the chain, a failed member of a group by its place in the group. */
function positionOf(index: number, { after, step = 0 }: WorkflowNote): number {
  if (!after) return index;
  return index === 0 ? step - 1 : index - 1;
}

/** The entry of a member in the result of a group with `onFailure: 'collect'`. */
function collected(result: Succeeded | Failed): Json {
  if (result.state === 'succeeded') return { ok: true, value: result.value };
  const { name, message, code } = result.failure;
  return { ok: false, error: { name, message, ...(code !== undefined && { code }) } };
}
